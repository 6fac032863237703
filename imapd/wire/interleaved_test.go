package wire

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// believer is a client that keeps what it was told of a mailbox by the rules
// of RFC 9051 section 7, and nothing else.
type believer struct {
	testing.TB
	name string
	c    net.Conn
	r    *bufio.Reader
	tags int
	box  []belief // by sequence number

	condstore bool
	modseqs   map[uint32]uint64 // the highest told, by UID
	highest   uint64            // HIGHESTMODSEQ as STATUS had it last
	recents   *recents
}

type belief struct {
	uid    uint32 // 0: not asked for yet
	flags  []string
	modseq uint64 // 0: the flags were told without it
	fresh  bool   // the flags were told since the last conditional STORE began
}

// believer signs in; with condstore it wants to know mod-sequences (RFC 7162).
func (h *house) believer(name string, condstore bool, recents *recents) *believer {
	h.Helper()
	c, err := net.Dial("tcp", h.addr)
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(2 * time.Minute))
	b := &believer{TB: h.TB, name: name, c: c, r: bufio.NewReader(c), condstore: condstore, modseqs: map[uint32]uint64{}, recents: recents}
	b.line()
	b.do("LOGIN tess secret-1")
	if condstore {
		b.do("SELECT INBOX (CONDSTORE)")
	} else {
		b.do("SELECT INBOX")
	}
	b.learn()
	return b
}

func (b *believer) line() string {
	line, err := b.r.ReadString('\n')
	if err != nil {
		b.Errorf("%s: %v after %q", b.name, err, line)
		panic("the connection broke")
	}
	return strings.TrimRight(line, "\r\n")
}

// do runs a command, believes what it is told, and returns the tagged answer.
func (b *believer) do(command string) string {
	b.tags++
	tag := fmt.Sprintf("%s%d", b.name, b.tags)
	if _, err := fmt.Fprintf(b.c, "%s %s\r\n", tag, command); err != nil {
		b.Errorf("%s: %v", b.name, err)
		panic("the connection broke")
	}
	still := strings.HasPrefix(command, "FETCH") || strings.HasPrefix(command, "STORE") || strings.HasPrefix(command, "SEARCH")
	for {
		line := b.line()
		if rest, ok := strings.CutPrefix(line, tag+" "); ok {
			if strings.HasPrefix(rest, "BAD") {
				b.Errorf("%s: %q: %s", b.name, command, rest)
			}
			return rest
		}
		if strings.HasPrefix(line, "+") {
			continue
		}
		if still && strings.HasSuffix(line, " EXPUNGE") {
			b.Errorf("%s: %q moves the numbers during %q (RFC 9051 section 7.5.1)", b.name, line, command)
		}
		b.believe(line)
	}
}

func (b *believer) believe(line string) {
	if m := toldHighest.FindStringSubmatch(line); m != nil {
		b.highest, _ = strconv.ParseUint(m[1], 10, 64)
		return
	}
	fields := strings.Fields(line)
	n, err := strconv.Atoi(fields[1])
	switch {
	case err != nil:
	case fields[2] == "EXISTS":
		if n < len(b.box) {
			b.Errorf("%s: %q but there were %d", b.name, line, len(b.box))
		}
		for len(b.box) < n {
			b.box = append(b.box, belief{})
		}
	case fields[2] == "EXPUNGE":
		if n < 1 || n > len(b.box) {
			b.Errorf("%s: %q of %d", b.name, line, len(b.box))
			return
		}
		b.box = slices.Delete(b.box, n-1, n)
	case fields[2] == "FETCH":
		told, ok := readFetch(line)
		if !ok || n < 1 || n > len(b.box) {
			b.Errorf("%s: %q of %d", b.name, line, len(b.box))
			return
		}
		b.learned(n, told, line)
	}
}

func normal(flags []string) []string {
	flags = slices.Clone(flags)
	slices.Sort(flags)
	return slices.Compact(flags)
}

// learn asks for what the client was told of but doesn't know.
func (b *believer) learn() {
	for i, m := range b.box {
		if m.uid == 0 {
			items := "UID FLAGS"
			if b.condstore {
				items += " MODSEQ"
			}
			b.do(fmt.Sprintf("FETCH %d:* (%s)", i+1, items))
			return
		}
	}
}

// store changes flags. Where it is silent the client believes that it worked.
func (b *believer) store(rnd *rand.Rand) {
	op, flags := anyChange(rnd)
	from := rnd.IntN(len(b.box))
	to := min(len(b.box), from+1+rnd.IntN(3))
	uid, set := "", fmt.Sprintf("%d:%d", from+1, to)
	if rnd.IntN(2) == 0 && b.box[from].uid != 0 && b.box[to-1].uid != 0 {
		uid, set = "UID ", fmt.Sprintf("%d:%d", b.box[from].uid, b.box[to-1].uid)
	}
	silent := ""
	if rnd.IntN(2) == 0 {
		silent = ".SILENT"
		for i := from; i < to; i++ {
			b.box[i].flags = applied(b.box[i].flags, op, flags)
		}
	}
	b.do(fmt.Sprintf("%sSTORE %s %s%s (%s)", uid, set, op, silent, strings.Join(flags, " ")))
}

// anyChange is what a STORE may do.
func anyChange(rnd *rand.Rand) (op string, flags []string) {
	for _, f := range []string{`\Seen`, `\Flagged`, `\Answered`, `\Deleted`, "$Forwarded", "$label1"} {
		if rnd.IntN(3) == 0 {
			flags = append(flags, f)
		}
	}
	return []string{"FLAGS", "+FLAGS", "-FLAGS"}[rnd.IntN(3)], flags
}

func applied(flags []string, op string, change []string) []string {
	switch op {
	case "FLAGS":
		return normal(change)
	case "+FLAGS":
		return normal(append(slices.Clone(flags), change...))
	}
	return slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return slices.Contains(change, f) })
}

// step does something.
func (b *believer) step(rnd *rand.Rand) {
	b.learn()
	if len(b.box) == 0 || rnd.IntN(5) == 0 {
		b.do("APPEND INBOX {19+}\r\nSubject: hi\r\n\r\nyes\r")
		return
	}
	one := 1 + rnd.IntN(len(b.box))
	switch rnd.IntN(12) {
	case 0:
		b.do("EXPUNGE")
	case 1:
		b.do(fmt.Sprintf("MOVE %d:%d Archives", one, min(one+1, len(b.box))))
	case 2:
		b.do(fmt.Sprintf("COPY %d INBOX", one))
	case 3:
		b.do(fmt.Sprintf("MOVE %d INBOX", one))
	case 4:
		b.do("NOOP")
	case 5:
		b.do("SEARCH NOT DELETED")
	case 6:
		b.do(fmt.Sprintf("FETCH 1:%d FLAGS", one))
	case 7:
		b.do("UID FETCH 1:* FLAGS")
	default:
		b.store(rnd)
	}
}

// check compares what the client believes with what is stored.
func (b *believer) check(h *house) {
	b.do("NOOP")
	b.learn()
	truth := h.truth()
	if !slices.EqualFunc(b.box, truth, belief.holds) {
		b.Fatalf("%s believes\n%v\nbut the mailbox is\n%v", b.name, b.box, truth)
	}
	b.checkHighest()
}

// holds reports whether what is believed of a message is true.
func (x belief) holds(truth belief) bool {
	return x.uid == truth.uid && slices.Equal(x.flags, truth.flags) && (x.modseq == 0 || x.modseq == truth.modseq)
}

// truth is what is stored in INBOX.
func (h *house) truth() (truth []belief) {
	ctx := context.Background()
	mb, err := h.store.Mailbox(ctx, h.tess.ID, "INBOX")
	if err != nil {
		h.Fatal(err)
	}
	err = h.store.Entries(ctx, h.tess.ID, mb.ID, threading.UIDSet{{First: 1, Last: 1<<32 - 1}}, func(e threading.Entry) error {
		flags := slices.Clone(e.Keywords)
		for bit, name := range map[threading.Flags]string{threading.FlagSeen: `\Seen`, threading.FlagAnswered: `\Answered`, threading.FlagFlagged: `\Flagged`, threading.FlagDeleted: `\Deleted`, threading.FlagDraft: `\Draft`} {
			if e.Flags&bit != 0 {
				flags = append(flags, name)
			}
		}
		truth = append(truth, belief{uid: e.UID, flags: normal(flags), modseq: e.ModSeq})
		return nil
	})
	if err != nil {
		h.Fatal(err)
	}
	return truth
}

// traveller is a client that is away most of the time, and brings what it knew
// up to date by QRESYNC (RFC 7162 section 3.2.5).
type traveller struct {
	*peer
	known            map[uint32]belief // by UID
	validity, modseq string
	visits           int
	recents          *recents
}

var (
	toldCode   = regexp.MustCompile(`^\* OK \[(UIDVALIDITY|HIGHESTMODSEQ) (\d+)\]`)
	toldAbsent = regexp.MustCompile(`^\* VANISHED \(EARLIER\) ([\d,:]+)`)
)

// resync selects INBOX and compares what the client knows then with the truth.
func (v *traveller) resync(h *house) {
	h.Helper()
	v.visits++
	command := "b SELECT INBOX"
	if v.modseq != "" {
		command += " (QRESYNC (" + v.validity + " " + v.modseq + "))"
	}
	lines := []string{command}
	if v.modseq == "" {
		lines = append(lines, "b UID FETCH 1:* (FLAGS MODSEQ)")
	}
	for _, line := range append(lines, "b UNSELECT") {
		if _, err := v.Write([]byte(line + "\r\n")); err != nil {
			h.Fatal(err)
		}
		for got := ""; !strings.HasPrefix(got, "b "); {
			var err error
			if got, err = v.ReadString('\n'); err != nil || strings.HasPrefix(got, "b NO") || strings.HasPrefix(got, "b BAD") {
				h.Fatalf("%q: %q %v", line, got, err)
			}
			v.learn(h, strings.TrimRight(got, "\r\n"))
		}
	}
	truth := h.truth()
	for _, m := range truth {
		if x, ok := v.known[m.uid]; !ok || !x.holds(m) {
			h.Fatalf("the traveller believes %v (there: %v), it is %v", x, ok, m)
		}
	}
	if len(v.known) != len(truth) {
		h.Fatalf("the traveller knows %d messages, there are %d", len(v.known), len(truth))
	}
}

func (v *traveller) learn(h *house, line string) {
	h.Helper()
	if m := toldCode.FindStringSubmatch(line); m != nil {
		if m[1] == "UIDVALIDITY" {
			v.validity = m[2]
		} else {
			v.modseq = m[2]
		}
	} else if told, ok := readFetch(line); ok {
		if highest, _ := strconv.ParseUint(v.modseq, 10, 64); told.uid == 0 || told.modseq < v.known[told.uid].modseq || told.modseq > highest {
			h.Fatalf("%q of one that was %v, where HIGHESTMODSEQ is %s", line, v.known[told.uid], v.modseq)
		}
		v.recents.told(h, fmt.Sprintf("visit %d", v.visits), told)
		v.known[told.uid] = told.belief
	} else if m := toldAbsent.FindStringSubmatch(line); m != nil {
		r := newReader(strings.NewReader(m[1] + "\r\n"))
		r.begin(maxCommand)
		r.ranges(func(a, b uint32) {
			for uid := a; uid <= b; uid++ {
				delete(v.known, uid)
			}
		})
	}
}

// TestInterleavedSessions runs random commands of two sessions on one mailbox,
// one at a time: whenever one polls, it must believe the truth, and so must a
// third that was away. To one of them only each message is new.
func TestInterleavedSessions(t *testing.T) {
	seed := anySeed(t)
	rnd := rand.New(rand.NewPCG(seed, 1))
	h := newHouse(t)
	first := newRecents()
	clients := []*believer{h.believer("a", false, first), h.believer("b", true, first)}
	away := &traveller{peer: h.dial(), known: map[uint32]belief{}, recents: first}
	_ = away.SetDeadline(time.Now().Add(2 * time.Minute))
	h.say(away.peer, "a LOGIN tess secret-1", "a OK")
	h.say(away.peer, "a ENABLE QRESYNC", "a OK")
	steps := 1500
	if testing.Short() {
		steps = 200
	}
	for range steps {
		b := clients[rnd.IntN(2)]
		if b.condstore && rnd.IntN(4) == 0 {
			b.storeUnchanged(h, rnd)
		} else {
			b.step(rnd)
		}
		if rnd.IntN(4) == 0 {
			b.check(h)
		}
		if rnd.IntN(20) == 0 {
			away.resync(h)
		}
		if t.Failed() {
			t.FailNow()
		}
	}
	away.resync(h)
	for _, b := range clients {
		b.check(h)
	}
	for _, m := range h.truth() {
		if first.by[m.uid] == "" {
			t.Errorf("nobody was told that UID %d is new", m.uid)
		}
	}
}

// TestConcurrentSessions does the same at the same time: in the end all believe
// the truth.
func TestConcurrentSessions(t *testing.T) {
	seed := anySeed(t)
	h := newHouse(t)
	first := newRecents()
	var clients []*believer
	for i := range 4 {
		clients = append(clients, h.believer(string(rune('a'+i)), i%2 == 1, first))
	}
	var wg sync.WaitGroup
	for i, b := range clients {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			for range 300 {
				if b.step(rnd); t.Failed() {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, b := range clients {
		b.check(h)
	}
}
