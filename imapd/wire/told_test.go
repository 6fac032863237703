package wire

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "what the random sessions do; 0: something new")

// anySeed is logged, so that a failure can be had again.
func anySeed(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", seed)
	return seed
}

// toldFetch is what a FETCH response tells.
type toldFetch struct {
	belief
	flagsToo bool
	recent   bool
}

var toldHighest = regexp.MustCompile(`^\* STATUS INBOX \(HIGHESTMODSEQ (\d+)\)$`)

var fetchLine = regexp.MustCompile(`^\* \d+ FETCH \((?:(?:UID (\d+)|MODSEQ \((\d+)\)|FLAGS \(([^)]*)\)) ?)+\)$`)

func readFetch(line string) (f toldFetch, ok bool) {
	m := fetchLine.FindStringSubmatch(line)
	if m == nil || strings.HasSuffix(line, " )") {
		return f, false
	}
	uid, _ := strconv.ParseUint(m[1], 10, 32)
	f.uid = uint32(uid)
	f.modseq, _ = strconv.ParseUint(m[2], 10, 64)
	f.flagsToo = strings.Contains(line, "FLAGS (")
	f.flags = normal(strings.Fields(m[3]))
	if i := slices.Index(f.flags, `\Recent`); i >= 0 {
		f.recent, f.flags = true, slices.Delete(f.flags, i, i+1)
	}
	return f, true
}

// learned believes what is told of the n-th message. Its mod-sequence never goes
// down.
func (b *believer) learned(n int, told toldFetch, line string) {
	m := &b.box[n-1]
	if told.uid == 0 {
		told.uid = m.uid
	}
	if told.uid == 0 { // it has just come, and which it is was not told yet
		m.modseq = told.modseq
		if told.flagsToo {
			m.flags, m.fresh = told.flags, true
		}
		return
	}
	if m.uid != 0 && m.uid != told.uid {
		b.Errorf("%s: number %d was UID %d: %q", b.name, n, m.uid, line)
	}
	if told.modseq != 0 && (!b.condstore || told.modseq < b.modseqs[told.uid]) {
		b.Errorf("%s: %q, but its mod-sequence was %d (CONDSTORE: %v)", b.name, line, b.modseqs[told.uid], b.condstore)
	}
	m.uid, m.modseq = told.uid, told.modseq
	b.modseqs[m.uid] = max(b.modseqs[m.uid], told.modseq)
	if told.flagsToo {
		m.flags, m.fresh = told.flags, true
		b.recents.told(b, b.name, told)
	}
}

// checkHighest: HIGHESTMODSEQ is no less than any mod-sequence that the client
// was told of (RFC 7162 section 3.1.2.1).
func (b *believer) checkHighest() {
	if !b.condstore {
		return
	}
	b.highest = 0
	b.do("STATUS INBOX (HIGHESTMODSEQ)")
	for uid, m := range b.modseqs {
		if m > b.highest {
			b.Errorf("%s: HIGHESTMODSEQ is %d, UID %d had %d", b.name, b.highest, uid, m)
		}
	}
}

// storeUnchanged changes flags of messages that nobody has changed since a
// mod-sequence (RFC 7162 section 3.1.3). What others changed since is named, and
// left alone.
func (b *believer) storeUnchanged(h *house, rnd *rand.Rand) {
	b.Helper()
	b.do("SEARCH UNSEEN") // tells of all but what is gone: those numbers may be named
	b.learn()
	before := h.truth()
	if len(b.box) == 0 || len(before) == 0 {
		return
	}
	since := before[rnd.IntN(len(before))].modseq - uint64(rnd.IntN(2))
	op, flags := anyChange(rnd)
	from := rnd.IntN(len(b.box))
	to := min(len(b.box), from+1+rnd.IntN(5))
	set, names := fmt.Sprintf("%d:%d", from+1, to), map[uint32]int{} // by UID, what MODIFIED calls them
	verb := "STORE"
	if rnd.IntN(2) == 0 && b.box[from].uid != 0 && b.box[to-1].uid != 0 { // one that is gone already tells no UID
		verb, set = "UID STORE", fmt.Sprintf("%d:%d", b.box[from].uid, b.box[to-1].uid)
	}
	silent := ""
	if rnd.IntN(2) == 0 {
		silent = ".SILENT"
	}
	for i := range b.box {
		b.box[i].fresh = false
		if i >= from && i < to {
			names[b.box[i].uid] = i + 1
			if verb != "STORE" {
				names[b.box[i].uid] = int(b.box[i].uid)
			}
		}
	}
	command := fmt.Sprintf("%s %s (UNCHANGEDSINCE %d) %s%s (%s)", verb, set, since, op, silent, strings.Join(flags, " "))
	answer := b.do(command)

	var modified []uint32
	after := h.truth()
	for i, m := range before {
		name, asked := names[m.uid]
		want := m.flags
		switch {
		case asked && m.modseq > since:
			modified = append(modified, uint32(name))
		case asked:
			want = applied(m.flags, op, flags)
		}
		if got := after[i]; got.uid != m.uid || !slices.Equal(got.flags, want) || slices.Equal(m.flags, want) != (got.modseq == m.modseq) {
			b.Errorf("%s: %q made %v of %v, not %v", b.name, command, got, m, want)
		}
	}
	code := ""
	if len(modified) > 0 {
		code = "[MODIFIED " + string(appendSet(nil, modified)) + "] "
	}
	if !strings.HasPrefix(answer, "OK "+code) || code == "" && strings.Contains(answer, "MODIFIED") {
		b.Errorf("%s: %q is answered %q, not with %q", b.name, command, answer, code)
	}
	if silent == "" {
		return
	}
	for i := range b.box { // a client believes of its silent change that it worked where nothing else is said
		m := &b.box[i]
		name, asked := names[m.uid]
		if asked && !m.fresh && !slices.Contains(modified, uint32(name)) {
			m.flags = applied(m.flags, op, flags)
		}
	}
}

// recents are who was told that a message is \Recent: one session, in which it
// stays so (RFC 3501 section 2.3.2).
type recents struct {
	mu sync.Mutex
	by map[uint32]string
}

func newRecents() *recents { return &recents{by: map[uint32]string{}} }

// told checks the flags that a session was told of a message.
func (r *recents) told(t testing.TB, session string, f toldFetch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch by := r.by[f.uid]; {
	case f.recent && by != "" && by != session:
		t.Errorf("UID %d is new to %s, and was to %s", f.uid, session, by)
	case !f.recent && by == session:
		t.Errorf("UID %d is no longer new to %s", f.uid, session)
	case f.recent:
		r.by[f.uid] = session
	}
}
