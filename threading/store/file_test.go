package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

func TestFileStartsAThread(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	f := x.start(sam, tess, "hello")
	f.Message.ForeignID = "1@mail.example"
	filed := x.file(f)[0]
	if want := (threading.Filed{ThreadID: f.NewThread.Thread.ID, MessageID: f.Message.ID}); filed != want {
		t.Fatalf("filed %+v, want %+v", filed, want)
	}
	v, err := x.Thread(x.ctx, filed.ThreadID)
	if err != nil {
		t.Fatal(err)
	}
	if v.Thread != f.NewThread.Thread || len(v.Participants) != 2 || len(v.Aliases) != 2 {
		t.Errorf("thread %+v", v)
	}
	if want := []threading.ChainLink{{MessageID: f.Message.ID, WriterID: sam.ID, ForeignID: "1@mail.example"}}; !slices.Equal(v.Chain, want) {
		t.Errorf("chain %+v, want %+v", v.Chain, want)
	}
	a, _ := v.AliasFor(tess.ID, sam.ID)
	if got, err := x.Alias(x.ctx, a.ID); err != nil || got != a {
		t.Errorf("alias %+v, %v; want %+v", got, err, a)
	}
	inbox, sent := x.entries(x.mailbox(tess, threading.Inbox)), x.entries(x.mailbox(sam, "Sent"))
	if len(inbox) != 1 || len(sent) != 1 || inbox[0].Flags != 0 || sent[0].Flags != threading.FlagSeen {
		t.Fatalf("INBOX %v, Sent %v", inbox, sent)
	}
	if e := inbox[0]; e.UID != 1 || e.ThreadID != filed.ThreadID || e.BodyID != sent[0].BodyID || !e.SavedAt.Equal(x.clock.Now()) || e.Size() != int64(len(f.Copies[0].Header)+len("hello")) {
		t.Errorf("entry %+v", e)
	}
	it, err := x.Item(x.ctx, tess.ID, inbox[0].ItemID)
	if err != nil || string(it.Header) != string(f.Copies[0].Header) || it.MessageID != f.Message.ID {
		t.Errorf("item %+v, %v", it, err)
	}
	if _, err := x.Item(x.ctx, sam.ID, inbox[0].ItemID); !errors.Is(err, ErrNotFound) {
		t.Errorf("another member's item: %v", err)
	}
	queue, err := x.Queue(x.ctx, 10)
	if err != nil || len(queue) != 1 || queue[0].Kind != QueueNotification || queue[0].MemberID != tess.ID || queue[0].ItemID != it.ID || queue[0].ThreadID != filed.ThreadID {
		t.Errorf("queue %+v, %v", queue, err)
	}
}

func TestFileReply(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	thread := x.file(x.start(sam, tess, "0"))[0].ThreadID
	for i := 1; i < 30; i++ {
		x.clock.advance(time.Minute)
		f := x.reply(thread, tess, sam, fmt.Sprint(i))
		f.Message.ForeignID = fmt.Sprint(i)
		x.file(f)
	}
	v, err := x.Thread(x.ctx, thread)
	if err != nil {
		t.Fatal(err)
	}
	if !v.Thread.LastAt.Equal(x.clock.Now()) {
		t.Errorf("last message at %v", v.Thread.LastAt)
	}
	// The first message and the last ones, oldest first.
	got := []string{}
	for _, c := range v.Chain {
		got = append(got, c.ForeignID)
	}
	want := []string{""}
	for i := 30 - threading.ChainLen + 1; i < 30; i++ {
		want = append(want, fmt.Sprint(i))
	}
	if !slices.Equal(got, want) {
		t.Errorf("chain %v, want %v", got, want)
	}
	if id, err := x.ThreadOf(x.ctx, v.Chain[5].MessageID); err != nil || id != thread {
		t.Errorf("ThreadOf = %v, %v", id, err)
	}
	if err := x.CloseThread(x.ctx, thread); err != nil {
		t.Fatal(err)
	}
	if v, _ := x.Thread(x.ctx, thread); v.Thread.Status != threading.ThreadClosed {
		t.Errorf("status %s", v.Thread.Status)
	}
	for what, err := range map[string]error{
		"Thread": second(x.Thread(x.ctx, 5)), "CloseThread": x.CloseThread(x.ctx, 5), "ThreadOf": second(x.ThreadOf(x.ctx, 5)),
		"Alias": second(x.Alias(x.ctx, 5)), "File": second(x.File(x.ctx, x.reply(5, sam, tess, "x"))),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s of an unknown thread: %v", what, err)
		}
	}
}

func TestThreadsListsNewestFirst(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	var made []threading.ID
	for i := range 7 {
		if i%3 == 0 { // several were last written to in the same millisecond
			x.clock.advance(time.Second)
		}
		made = append(made, x.file(x.start(sam, tess, "hello"))[0].ThreadID)
	}
	var got []threading.ID
	for after := (threading.Thread{}); ; {
		list, err := x.Threads(x.ctx, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, v := range list {
			got = append(got, v.Thread.ID)
			after = v.Thread
			if len(v.Participants) != 2 {
				t.Errorf("participants %+v", v.Participants)
			}
		}
	}
	slices.Reverse(made)
	if !slices.Equal(got, made) {
		t.Errorf("threads %v, want %v", got, made)
	}
}

func TestFilingsShareABody(t *testing.T) {
	x := newFixture(t)
	sam, tess, ann := x.member("sam"), x.member("tess"), x.member("ann")
	one, two := x.start(sam, tess, "to each of you"), x.start(sam, ann, "")
	two.Body = one.Body
	x.file(one, two)
	if n := x.count("bodies"); n != 1 {
		t.Errorf("%d bodies are stored", n)
	}
	if n := x.count("body_chunks"); n != 1 {
		t.Errorf("%d chunks are stored", n)
	}
	sent := x.entries(x.mailbox(sam, "Sent"))
	if len(sent) != 2 || sent[0].UID != 1 || sent[1].UID != 2 || sent[0].BodyID != sent[1].BodyID || sent[0].ModSeq != sent[1].ModSeq {
		t.Errorf("Sent %+v", sent)
	}
}

func TestFileKnowsARetry(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	try := func() (threading.Filing, threading.Filed) {
		f := x.start(sam, tess, "hello")
		f.Dedupe = []byte("0123456789abcdef")
		return f, x.file(f)[0]
	}
	_, first := try()
	for _, step := range []struct {
		after     time.Duration
		duplicate bool
	}{{0, true}, {threading.DedupeFor - time.Second, true}, {2 * time.Second, false}, {threading.DedupeFor - time.Second, true}} {
		x.clock.advance(step.after)
		f, filed := try()
		if filed.Duplicate != step.duplicate {
			t.Fatalf("after %v more: %+v", step.after, filed)
		}
		if filed.Duplicate && (filed.ThreadID != first.ThreadID || filed.MessageID != first.MessageID) {
			t.Errorf("after %v more: filed as %+v, first %+v", step.after, filed, first)
		}
		if !filed.Duplicate {
			if filed.MessageID != f.Message.ID {
				t.Errorf("a new filing has an old ID")
			}
			first = filed
		}
	}
	if n := len(x.entries(x.mailbox(tess, threading.Inbox))); n != 2 {
		t.Errorf("%d messages in INBOX", n)
	}
	if n := x.count("queue"); n != 2 {
		t.Errorf("%d rows in the queue", n)
	}
}

// Of several messages that come at once under one Single one is filed, and a
// retry of it is known.
func TestFileTakesOneOfWhatIsGoodForOne(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	errs := make([]error, 8)
	var tries sync.WaitGroup
	for i := range errs {
		f := x.start(sam, tess, fmt.Sprint("hello ", i))
		f.Dedupe, f.Single = fmt.Appendf(nil, "0123456789abcde%d", i), []byte("fedcba9876543210")
		tries.Go(func() {
			_, errs[i] = x.File(x.ctx, f)
			for range 2 { // a retry
				if again, err := x.File(x.ctx, f); !errors.Is(err, errs[i]) || err == nil && !again[0].Duplicate {
					t.Errorf("first %v, then %v, %v", errs[i], again, err)
				}
			}
		})
	}
	tries.Wait()
	taken := 0
	for _, err := range errs {
		if err == nil {
			taken++
		} else if !errors.Is(err, ErrSpent) {
			t.Error(err)
		}
	}
	if n := len(x.entries(x.mailbox(tess, threading.Inbox))); taken != 1 || n != 1 {
		t.Errorf("%d were taken, %d are in INBOX", taken, n)
	}
}

func TestFileLeavesOutARemovedMember(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	if err := x.RemoveMember(x.ctx, tess.ID); err != nil {
		t.Fatal(err)
	}
	x.file(x.start(sam, tess, "hello"))
	if n := len(x.entries(x.mailbox(sam, "Sent"))); n != 1 {
		t.Errorf("%d messages in Sent", n)
	}
	for _, table := range []string{"entries", "items", "queue"} {
		if n := x.count(table+" WHERE member_id = ?", tess.ID); n != 0 {
			t.Errorf("the removed member has %d rows in %s", n, table)
		}
	}
}

func TestFilingsAreAllOrNothing(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	before := x.mailbox(sam, "Sent")
	good, bad := x.start(sam, tess, "hello"), x.reply(12345, sam, tess, "into no thread")
	good.Dedupe = []byte("0123456789abcdef")
	if filed, err := x.File(x.ctx, good, bad); !errors.Is(err, ErrNotFound) || filed != nil {
		t.Fatalf("File = %v, %v", filed, err)
	}
	for _, table := range []string{"threads", "participants", "aliases", "messages", "bodies", "body_chunks", "items", "entries", "queue", "dedupe"} {
		if n := x.count(table); n != 0 {
			t.Errorf("%d rows in %s", n, table)
		}
	}
	if after := x.mailbox(sam, "Sent"); after != before {
		t.Errorf("Sent was %+v and is %+v", before, after)
	}
	if filed := x.file(good)[0]; filed.Duplicate {
		t.Error("what was not filed is taken for a duplicate")
	}
}

func TestKeywordsAreKeptInOneForm(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	f := x.start(sam, tess, "hello")
	f.Copies[0].Keywords = []string{"b", "A", "B", "a"}
	x.file(f)
	inbox := x.mailbox(tess, threading.Inbox)
	x.put(inbox, "mine", 0, "b", "A", "B", "a")
	for _, e := range x.entries(inbox) {
		if !slices.Equal(e.Keywords, []string{"A", "b"}) {
			t.Errorf("UID %d has keywords %q", e.UID, e.Keywords)
		}
	}
	many := make([]string, threading.MaxKeywords+1)
	for i := range many {
		many[i] = fmt.Sprint("k", i)
	}
	_, _, err := x.Append(x.ctx, tess.ID, inbox.ID, NewItem{Header: []byte("\r\n"), Body: x.body("x"), Keywords: many})
	if !errors.Is(err, ErrLimit) {
		t.Errorf("too many keywords: %v", err)
	}
}
