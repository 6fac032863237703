package store

import (
	"fmt"
	"math/rand/v2"
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
