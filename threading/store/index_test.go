package store

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// putTexts appends messages in one transaction.
func (x *fixture) putTexts(mb threading.Mailbox, header func(i int) string, texts ...string) {
	x.t.Helper()
	rows := make([]bodyRow, len(texts))
	for i, text := range texts {
		rows[i] = newBodyRow(x.body(text))
	}
	err := x.c.commit(x.ctx, func(t *tx) error {
		for i, row := range rows {
			var uid uint32
			if err := t.row("UPDATE mailboxes SET uidnext = uidnext + 1 WHERE member_id = ? AND id = ? RETURNING uidnext - 1", []any{mb.MemberID, mb.ID}, &uid); err != nil {
				return err
			}
			h := header(i)
			e := threading.Entry{UID: uid, SavedAt: x.clock.Now(), ItemID: x.IDs().Next(), BodyID: row.id, HeaderSize: int64(len(h)), BodySize: row.size}
			if err := t.addBody(row); err != nil {
				return err
			}
			if err := t.addItem(mb.MemberID, 0, e, []byte(h)); err != nil {
				return err
			}
			if err := t.addEntry(mb.MemberID, mb.ID, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *fixture) pack(mb threading.Mailbox) {
	x.t.Helper()
	if err := x.Pack(x.ctx, mb.MemberID, mb.ID); err != nil {
		x.t.Fatal(err)
	}
}

// contents are what a mailbox's messages say, by UID.
func (x *fixture) contents(mb threading.Mailbox) map[uint32]string {
	x.t.Helper()
	out := map[uint32]string{}
	err := x.Scan(x.ctx, mb.MemberID, mb.ID, everyUID, Want{Header: true, Text: true}, func(s Scanned) error {
		out[s.UID] = threading.Fold(strings.TrimPrefix(strings.TrimSpace(string(s.Header)), "Subject: ")) + "\n" + s.Text
		return nil
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return out
}

// checkIndex compares the index with what is in the mailbox.
func (x *fixture) checkIndex(mb threading.Mailbox, when string, needles ...string) {
	x.t.Helper()
	all := x.contents(mb)
	sets, err := x.Candidates(x.ctx, mb.MemberID, mb.ID, needles)
	if err != nil {
		x.t.Fatalf("%s: %v", when, err)
	}
	for i, needle := range needles {
		for uid, text := range all {
			if strings.Contains(text, needle) && !sets[i].Contains(uid) {
				x.t.Errorf("%s: UID %d with %q is denied", when, uid, needle)
			}
		}
	}
	keys, err := x.Keys(x.ctx, mb.MemberID, mb.ID, ColumnSubject|ColumnSize)
	if err != nil {
		x.t.Fatalf("%s: %v", when, err)
	}
	last := uint32(0)
	for _, k := range keys {
		if k.UID <= last {
			x.t.Fatalf("%s: UID %d after %d", when, k.UID, last)
		}
		last = k.UID
		text, there := all[k.UID]
		if subject, _, _ := strings.Cut(text, "\n"); there && subject != k.Subject {
			x.t.Errorf("%s: UID %d has the subject %q, want %q", when, k.UID, k.Subject, subject)
		}
		delete(all, k.UID)
	}
	if len(all) > 0 {
		x.t.Errorf("%s: %d messages have no keys", when, len(all))
	}
}

func TestTheIndexFollowsTheMailbox(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	inbox, archive := x.mailbox(tess, threading.Inbox), x.mailbox(tess, "Archives")
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("ophelia hamlet gertrude polonius yorick straße κόσμος 日本語 müller laertes fortinbras")
	text := func() string {
		var b strings.Builder
		for range 1 + r.IntN(30) {
			b.WriteString(words[r.IntN(len(words))] + fmt.Sprint(r.IntN(5000)) + " ")
		}
		return b.String()
	}
	header := func(i int) string {
		return fmt.Sprintf("Subject: scene %d of %s\r\n\r\n", i, words[r.IntN(len(words))])
	}
	fill := func(n int) {
		texts := make([]string, n)
		for i := range texts {
			texts[i] = text()
		}
		x.putTexts(inbox, header, texts...)
	}
	needles := []string{"", "o", "oph", "ophelia", "ophelia1", "yorick4999", "strasse", "κοσμοσ", "本語1", "scene 17", "scene 17 of", "nowhere"}
	fill(100)
	x.checkIndex(inbox, "nothing is packed", needles...)
	fill(2*blockMessages + 200)
	x.checkIndex(inbox, "there are many", needles...)
	x.pack(inbox)
	if n := x.count("index_blocks"); n != 2 {
		t.Fatalf("%d blocks", n)
	}
	x.checkIndex(inbox, "packed", needles...)
	x.pack(inbox) // nothing to do
	fill(50)
	x.checkIndex(inbox, "more came", needles...)

	var gone threading.UIDSet
	for uid := uint32(1); uid < 2*blockMessages; uid++ {
		if r.IntN(4) > 0 {
			gone.AddUID(uid)
		}
	}
	if _, err := x.Copy(x.ctx, tess.ID, inbox.ID, gone, "Archives", true); err != nil {
		t.Fatal(err)
	}
	x.checkIndex(inbox, "most were archived", needles...)
	x.checkIndex(archive, "many came at once", needles...)
	x.pack(archive)
	x.checkIndex(archive, "the archive is packed", needles...)
	x.pack(inbox) // two thin blocks become one
	if n := x.count("index_blocks WHERE mailbox_id = ?", inbox.ID); n != 1 {
		t.Errorf("%d blocks are left of two thin ones", n)
	}
	x.checkIndex(inbox, "thinned out", needles...)
	if _, err := x.Copy(x.ctx, tess.ID, inbox.ID, everyUID, "Archives", true); err != nil {
		t.Fatal(err)
	}
	x.pack(inbox)
	if n := x.count("index_blocks WHERE mailbox_id = ?", inbox.ID); n != 0 {
		t.Errorf("%d blocks of an empty mailbox", n)
	}
	fill(10)
	x.checkIndex(inbox, "begun again", needles...)
}

func TestTheIndexRulesOut(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	texts := make([]string, blockMessages)
	for i := range texts {
		texts[i] = fmt.Sprintf("the rest is silence, number %d", i)
	}
	texts[700] = "a horse, a horse, my kingdom for a horse"
	x.putTexts(mb, func(int) string { return "Subject: x\r\n\r\n" }, texts...)
	x.pack(mb)
	sets, err := x.Candidates(x.ctx, mb.MemberID, mb.ID, []string{"my kingdom", "the rest is silence", "to be or not", "ki"})
	if err != nil {
		t.Fatal(err)
	}
	tail := threading.UIDRange{First: blockMessages + 1, Last: 1<<32 - 1}
	for i, want := range []threading.UIDSet{
		{{First: 701, Last: 701}, tail}, {{First: 1, Last: 700}, {First: 702, Last: blockMessages}, tail}, {tail}, {{First: 1, Last: blockMessages}, tail},
	} {
		if !slices.Equal(sets[i], want) {
			t.Errorf("needle %d: candidates %v, want %v", i, sets[i], want)
		}
	}
}

// What was filed is found from the moment on that it was, while blocks are made.
func TestTheIndexIsNeverStale(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	header := func(int) string { return "Subject: x\r\n\r\n" }
	ended, packed := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-ended:
				packed <- nil
				return
			default:
			}
			if err := x.Pack(x.ctx, mb.MemberID, mb.ID); err != nil {
				packed <- err
				return
			}
		}
	}()
	const batch = 100
	for n := 1; n <= 40; n++ {
		texts := make([]string, batch)
		for i := range texts {
			texts[i] = fmt.Sprintf("the word of this message is q%dq", n*batch+i)
		}
		x.putTexts(mb, header, texts...)
		for _, i := range []int{0, batch / 2, batch - 1} {
			uid := uint32((n-1)*batch + i + 1)
			sets, err := x.Candidates(x.ctx, mb.MemberID, mb.ID, []string{fmt.Sprintf("q%dq", n*batch+i)})
			if err != nil {
				t.Fatal(err)
			}
			if !sets[0].Contains(uid) {
				t.Errorf("UID %d is denied", uid)
			}
		}
	}
	close(ended)
	if err := <-packed; err != nil {
		t.Fatal(err)
	}
	x.pack(mb)
	if n := x.count("index_blocks"); n != 3 {
		t.Errorf("%d blocks of 4,000 messages", n)
	}
}

// FuzzColumns: a damaged block is an error, and never more.
func FuzzColumns(f *testing.F) {
	keys := []Keys{{UID: 1, Saved: 5, Sent: -7, Size: 1 << 40, Thread: 9, MessageID: 3, References: []uint64{1, 2}, Subject: "s", Reply: true, From: "f", To: "t", Cc: "c", DisplayFrom: "df", DisplayTo: "dt"}, {UID: 7}}
	f.Add(packKeys(keys), 2)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, packed []byte, n int) {
		if n < 0 || n > blockMessages {
			return
		}
		_ = unpackKeys(packed, columnsEnd-1, make([]Keys, n))
		_, _ = unpackUIDs(packed, n)
	})
}

func TestColumnsRoundTrip(t *testing.T) {
	keys := []Keys{{Saved: 5, Sent: -7, Size: 1 << 40, Thread: 9, MessageID: 1<<64 - 1, References: []uint64{1, 2}, Subject: "s", Reply: true, From: "f", To: "t", Cc: "c", DisplayFrom: "ü", DisplayTo: strings.Repeat("x", 300)}, {}, {Subject: "é"}}
	got := make([]Keys, len(keys))
	if err := unpackKeys(packKeys(keys), columnsEnd-1, got); err != nil || !reflect.DeepEqual(got, keys) {
		t.Errorf("%+v, %v", got, err)
	}
	some := make([]Keys, len(keys))
	if err := unpackKeys(packKeys(keys), ColumnSize|ColumnTo, some); err != nil || some[0].Size != 1<<40 || some[0].To != "t" || some[0].Subject != "" || some[0].Saved != 0 {
		t.Errorf("%+v, %v", some, err)
	}
	uids := []uint32{1, 2, 70000, 1<<32 - 1}
	if got, err := unpackUIDs(packUIDs(uids), len(uids)); err != nil || !slices.Equal(got, uids) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestKeysOfAHeader(t *testing.T) {
	e := &threading.Entry{UID: 4, SavedAt: time.UnixMilli(99), HeaderSize: 10, BodySize: 5, ThreadID: 8}
	for name, c := range map[string]struct {
		header string
		want   Keys
	}{
		"nothing": {"", Keys{Sent: 99}},
		"all": {"Date: Tue, 01 Sep 2026 10:00:00 +0200\r\nSubject: =?utf-8?q?Re:_[cast]_Gr=C3=BC=C3=9Fe?=\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <J.M@x.example>, b@y.example\r\n" +
			"To: tess@x.example\r\nCc: \"Sam, the\" <SAM@x.example>\r\nMessage-ID: <a@x>\r\nIn-Reply-To: <z@x>\r\nReferences: <b@x>\r\n <c@x>\r\nSubject: not this\r\n",
			Keys{Sent: 1788249600000, Subject: "grusse", Reply: true, From: "j.m", DisplayFrom: "jurgen", To: "tess", DisplayTo: "tess@x.example", Cc: "sam",
				MessageID: idHash("a@x"), References: []uint64{idHash("b@x"), idHash("c@x")}}},
		"In-Reply-To only":      {"In-Reply-To: Your message <z@x> of <y@x>\r\n", Keys{Sent: 99, References: []uint64{idHash("z@x")}}},
		"what is no date":       {"Date: tomorrow\r\n", Keys{Sent: 99}},
		"what is no address":    {"From: Tess Talent <tess\r\nTo: a b <c@d>, <<\r\n", Keys{Sent: 99, From: "tess", DisplayFrom: "tess talent", To: "c", DisplayTo: "a b"}},
		"what is no Message-ID": {"Message-ID: x\r\nReferences: <unended\r\n", Keys{Sent: 99}},
	} {
		c.want.UID, c.want.Saved, c.want.Size, c.want.Thread = 4, 99, 15, 8
		if got := keysOf(e, []byte(c.header+"\r\n")); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, c.want)
		}
	}
	many := strings.Repeat("<x@x> ", 100)
	if k := keysOf(e, []byte("References: <first@x> "+many+"<last@x>\r\n\r\n")); len(k.References) != maxReferences || k.References[0] != idHash("first@x") || k.References[maxReferences-1] != idHash("last@x") {
		t.Errorf("%d references are kept", len(k.References))
	}
	if k := keysOf(e, []byte("Subject: "+strings.Repeat("ü", 5000)+"\r\n\r\n")); len(k.Subject) > maxKeyText {
		t.Errorf("%d octets of a subject are kept", len(k.Subject))
	}
}

// The daemon indexes by itself; a deleted mailbox and a removed member leave
// nothing.
func TestTheDaemonPacks(t *testing.T) {
	x := newFixture(t)
	x.Store = x.open(true)
	tess := x.member("tess")
	if _, err := x.CreateMailbox(x.ctx, tess.ID, "Old", threading.UseNone); err != nil {
		t.Fatal(err)
	}
	mb, inbox := x.mailbox(tess, "Old"), x.mailbox(tess, threading.Inbox)
	x.putTexts(mb, func(int) string { return "Subject: x\r\n\r\n" }, slices.Repeat([]string{"hello"}, packAt)...)
	waitFor(t, func() bool { return x.count("index_blocks") == 2 })
	x.putTexts(inbox, func(int) string { return "Subject: x\r\n\r\n" }, slices.Repeat([]string{"hello"}, packAt)...)
	waitFor(t, func() bool { return x.count("index_blocks") == 4 })
	if err := x.DeleteMailbox(x.ctx, tess.ID, "Old"); err != nil {
		t.Fatal(err)
	}
	if n := x.count("index_slices WHERE mailbox_id = ?", mb.ID); n != 0 {
		t.Errorf("%d rows are left of a deleted mailbox", n)
	}
	if n := x.count("index_slices"); n == 0 {
		t.Error("nothing is left of the other")
	}
	if err := x.RemoveMember(x.ctx, tess.ID); err != nil {
		t.Fatal(err)
	}
	if n := x.count("index_blocks") + x.count("index_slices"); n != 0 {
		t.Errorf("%d rows are left of a removed member", n)
	}
}

// waitFor waits, however slow the machine is, for what a goroutine does.
func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never happens")
		}
	}
}
