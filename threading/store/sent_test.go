package store

import (
	"slices"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

var clientID = []byte("client-id-hashed")

// submit files a message whose writer's client gave it clientID.
func (x *fixture) submit(writer, reader threading.Member) threading.Filing {
	f := x.start(writer, reader, "as the relay made it")
	f.Copies[1].ClientID = clientID
	x.file(f)
	return f
}

// appendSent is what the client does by itself.
func (x *fixture) appendSent(sent threading.Mailbox, flags threading.Flags, keywords ...string) uint32 {
	x.t.Helper()
	validity, uid, err := x.Append(x.ctx, sent.MemberID, sent.ID, NewItem{Header: []byte("Subject: mine\r\n\r\n"), Body: x.body("as the client wrote it"), Flags: flags, Keywords: keywords, ClientID: clientID})
	if err != nil || validity != sent.UIDValidity {
		x.t.Fatalf("append: UIDVALIDITY %d, %v", validity, err)
	}
	return uid
}

func TestSubmittedThenAppended(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	sent := x.mailbox(sam, "Sent")
	x.submit(sam, tess)
	before := x.entries(sent)[0]
	if uid := x.appendSent(sent, threading.FlagSeen|threading.FlagFlagged, "$Important"); uid != before.UID {
		t.Errorf("the appended copy has UID %d, the submitted %d", uid, before.UID)
	}
	list := x.entries(sent)
	if len(list) != 1 || list[0].ItemID != before.ItemID || list[0].Flags != threading.FlagSeen|threading.FlagFlagged || !slices.Equal(list[0].Keywords, []string{"$Important"}) {
		t.Fatalf("Sent %+v", list)
	}
	if list[0].ModSeq <= before.ModSeq {
		t.Error("the flags changed and the mod-sequence did not")
	}
	x.appendSent(sent, threading.FlagSeen)
	if again := x.entries(sent); len(again) != 1 || again[0].ModSeq != list[0].ModSeq {
		t.Errorf("appended again, with nothing new: %+v", again)
	}
}

func TestAppendedThenSubmitted(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	sent := x.mailbox(sam, "Sent")
	uid := x.appendSent(sent, threading.FlagFlagged|threading.FlagAnswered, "$Important")
	_, since, err := x.UIDs(x.ctx, sam.ID, sent.ID)
	if err != nil {
		t.Fatal(err)
	}
	f := x.submit(sam, tess)
	ch, err := x.Changes(x.ctx, sam.ID, sent.ID, since)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ch.Expunged, []uint32{uid}) || len(ch.Entries) != 1 {
		t.Fatalf("changes %+v", ch)
	}
	e := ch.Entries[0]
	if e.UID <= uid || e.Flags != threading.FlagSeen|threading.FlagFlagged|threading.FlagAnswered || !slices.Equal(e.Keywords, []string{"$Important"}) {
		t.Errorf("the new copy: %s", show(e))
	}
	if it, err := x.Item(x.ctx, sam.ID, e.ItemID); err != nil || it.MessageID != f.Message.ID {
		t.Errorf("the new copy is %+v, %v", it, err)
	}
}

func TestSentMergeKnowsItsBounds(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	sent, archives := x.mailbox(sam, "Sent"), x.mailbox(sam, "Archives")

	// Elsewhere than in Sent, a copy is a copy.
	x.submit(sam, tess)
	x.appendSent(archives, 0)
	if n := len(x.entries(archives)); n != 1 {
		t.Errorf("%d messages in Archives", n)
	}
	// The submitted copy was moved away: the client's own is stored.
	if _, err := x.Copy(x.ctx, sam.ID, sent.ID, everyUID, "Trash", true); err != nil {
		t.Fatal(err)
	}
	x.appendSent(sent, 0)
	if n := len(x.entries(sent)); n != 1 {
		t.Errorf("%d messages in Sent", n)
	}
	// The appended copy was moved away before the message is submitted: it stays there.
	if _, err := x.Copy(x.ctx, sam.ID, sent.ID, everyUID, "Archives", true); err != nil {
		t.Fatal(err)
	}
	x.submit(sam, tess)
	if a, s := len(x.entries(archives)), len(x.entries(sent)); a != 2 || s != 1 {
		t.Errorf("%d messages in Archives, %d in Sent", a, s)
	}
	// Another member's client may use the same Message-ID.
	x.appendSent(x.mailbox(tess, "Sent"), 0)
	if n := len(x.entries(x.mailbox(tess, "Sent"))); n != 1 {
		t.Errorf("%d messages in the other member's Sent", n)
	}
}

func TestOneSubmissionToSeveral(t *testing.T) {
	x := newFixture(t)
	sam, tess, ann := x.member("sam"), x.member("tess"), x.member("ann")
	sent := x.mailbox(sam, "Sent")
	x.appendSent(sent, threading.FlagFlagged)
	one, two := x.start(sam, tess, "hello"), x.start(sam, ann, "hello")
	one.Copies[1].ClientID, two.Copies[1].ClientID, two.Body = clientID, clientID, one.Body
	x.file(one, two)
	list := x.entries(sent)
	if len(list) != 2 || list[0].UID != 2 || list[1].UID != 3 || list[0].Flags&threading.FlagFlagged == 0 {
		t.Fatalf("Sent %+v", list)
	}
	if uid := x.appendSent(sent, 0); uid != 3 || len(x.entries(sent)) != 2 {
		t.Errorf("appended as UID %d, then %d in Sent", uid, len(x.entries(sent)))
	}
}
