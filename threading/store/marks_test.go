package store

import (
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

func TestAReplyMarksWhatItAnswers(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	thread := x.file(x.start(sam, tess, "can you come?"))[0].ThreadID
	second := x.reply(thread, sam, tess, "please tell me")
	x.file(second)
	inbox := x.mailbox(tess, threading.Inbox)
	if _, err := x.Copy(x.ctx, tess.ID, inbox.ID, threading.UIDSet{{First: 2, Last: 2}}, "Archives", true); err != nil {
		t.Fatal(err)
	}
	archive := x.mailbox(tess, "Archives")
	marked := func(f threading.Filing, m threading.Mark) {
		t.Helper()
		f.Mark = &m
		sub := x.Subscribe(tess.ID)
		defer sub.Close()
		x.file(f)
		ch, err := x.Changes(x.ctx, tess.ID, archive.ID, 0)
		if err != nil || ch.ModSeq != sub.ModSeq() {
			t.Errorf("mod-sequence %d, told %d, %v", ch.ModSeq, sub.ModSeq(), err)
		}
	}
	check := func(inInbox, inArchive string) {
		t.Helper()
		if got := show(x.entries(inbox)[0]); got != inInbox {
			t.Errorf("INBOX has %s, want %s", got, inInbox)
		}
		if got := show(x.entries(archive)[0]); got != inArchive {
			t.Errorf("the archive has %s, want %s", got, inArchive)
		}
	}
	const answered = threading.FlagAnswered | threading.FlagSeen
	marked(x.reply(thread, tess, sam, "yes"), threading.Mark{Flags: answered})
	check("1 00000 []", "1 00011 []") // the newest that sam wrote, where it is now
	first, err := x.Thread(x.ctx, thread)
	if err != nil {
		t.Fatal(err)
	}
	marked(x.reply(thread, tess, sam, "to your first"), threading.Mark{MessageID: first.Chain[0].MessageID, Flags: threading.FlagAnswered})
	check("1 00010 []", "1 00011 []")
	marked(x.start(tess, sam, "look at this"), threading.Mark{MessageID: second.Message.ID, Keywords: []string{threading.KeywordForwarded}})
	check("1 00010 []", "1 00011 [$Forwarded]")

	// Nobody else's copy, and nothing where there is no copy.
	for _, e := range x.entries(x.mailbox(sam, "Sent")) {
		if e.Flags != threading.FlagSeen || e.Keywords != nil {
			t.Errorf("sam's own copy has %s", show(e))
		}
	}
	marked(x.reply(thread, tess, sam, "of nothing"), threading.Mark{MessageID: 5, Flags: threading.FlagFlagged})
	fresh := x.start(tess, sam, "nothing was before")
	marked(fresh, threading.Mark{Flags: threading.FlagFlagged})
	check("1 00010 []", "1 00011 [$Forwarded]")
}

// A member with a hundred thousand messages pays for marking what one of few
// does: no step goes through all of theirs.
func TestMarkingIsFoundByTheBody(t *testing.T) {
	x := newFixture(t)
	rows, err := x.read.Query("EXPLAIN QUERY PLAN "+copiesOfMessage, 1, 2, 0, 1, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var plan []string
	for rows.Next() {
		var id, parent, unused int
		var detail string
		if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, detail)
	}
	got := strings.Join(plan, "\n")
	if !strings.Contains(got, "items_body (body_id=?)") || !strings.Contains(got, "entries_item (member_id=? AND item_id=?)") || strings.Contains(got, "SCAN") {
		t.Errorf("the plan is\n%s", got)
	}
}
