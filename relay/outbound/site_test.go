package outbound

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/notify"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

const domain = "msg.example.com"

// loopback is where all that tests talk to is.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// site is a store with Sam, who writes, and a clock that can be set forward.
type site struct {
	*store.Store
	t     testing.TB
	dir   string // of the database
	sam   threading.Member
	ahead atomic.Int64 // the clock's, in nanoseconds

	mu  sync.Mutex
	log bytes.Buffer
}

func newSite(t testing.TB) *site {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir()}
	s.Store, err = store.Open(t.Context(), store.Options{
		DSN: "sqlite:" + filepath.Join(s.dir, "s.db"), Keyring: keys, IDs: threading.NewIDSource(), Now: s.now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.sam = s.member("sam", "sam@casting.example")
	return s
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

func (s *site) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

func (s *site) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

func (s *site) member(handle, address string) threading.Member {
	s.t.Helper()
	m, err := s.AddMember(s.t.Context(), threading.Member{Handle: handle, Name: strings.ToUpper(handle[:1]) + handle[1:]}, []string{address})
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// change changes a member.
func (s *site) change(m threading.Member, f func(*threading.Member)) {
	s.t.Helper()
	_, err := s.ChangeMember(s.t.Context(), m.Handle, func(m *threading.Member) error {
		f(m)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// write files a message from Sam to m, which queues a notification.
func (s *site) write(m threading.Member, text string) { s.writeAll([]threading.Member{m}, text) }

func (s *site) writeAll(to []threading.Member, text string) {
	s.t.Helper()
	var filings []threading.Filing
	for _, m := range to {
		filings = append(filings, s.filing(m, text))
	}
	if _, err := s.File(s.t.Context(), filings...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) filing(m threading.Member, text string) threading.Filing {
	s.t.Helper()
	ids, k := s.IDs(), s.Keyring()
	threadID, messageID, alias, back := ids.Next(), ids.Next(), ids.Next(), ids.Next()
	from := threading.AliasPrefix + k.Token(seal.TokenAlias, alias) + "@" + domain
	head := func(from, to string) []byte {
		return []byte("From: " + from + "\r\nTo: " + to + "\r\nSubject: Ophelia\r\n" +
			"Date: Mon, 02 Jan 2006 15:04:05 +0000\r\nMessage-ID: <" + k.Token(seal.TokenMessage, messageID) + "@" + domain + ">\r\n" +
			"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	}
	inbox := head("\"Sam via Backstage\" <"+from+">", "\""+m.Name+"\" <"+m.Handle+"@"+domain+">")
	w := s.NewBody(s.t.Context())
	if _, err := w.Write([]byte(text)); err != nil {
		s.t.Fatal(err)
	}
	body, err := w.Finish()
	if err != nil {
		s.t.Fatal(err)
	}
	if body.Content, err = mimetree.Read(inbox, strings.NewReader(text)); err != nil {
		s.t.Fatal(err)
	}
	return threading.Filing{
		NewThread: &threading.NewThread{
			Thread:       threading.Thread{ID: threadID, Subject: "Ophelia", StartedBy: s.sam.ID, Status: threading.ThreadOpen, CreatedAt: s.now(), LastAt: s.now()},
			Participants: []threading.ID{s.sam.ID, m.ID},
			Aliases: []threading.Alias{
				{ID: alias, ThreadID: threadID, ViewerID: m.ID, OtherID: s.sam.ID},
				{ID: back, ThreadID: threadID, ViewerID: s.sam.ID, OtherID: m.ID},
			},
		},
		Message: threading.Message{ID: messageID, ThreadID: threadID, WriterID: s.sam.ID, BodyID: body.ID, FiledAt: s.now()},
		Body:    body,
		Copies: []threading.Copy{
			{MemberID: m.ID, Mailbox: threading.UseInbox, Header: inbox, Notify: true},
			{MemberID: s.sam.ID, Mailbox: threading.UseSent, Header: inbox, Flags: threading.FlagSeen},
		},
	}
}

func (s *site) queue(o Options) *Queue {
	s.t.Helper()
	o.Store, o.Domain, o.Hostname = s.Store, domain, "mx."+domain
	o.Renderer = notify.New(notify.Options{Store: s.Store, Brand: "Backstage"})
	o.Now, o.AllowNetworks = s.now, loopback
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(s, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	q, err := New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	return q
}

// run runs a queue until the returned function is called.
func (s *site) run(q *Queue) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- q.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					s.t.Errorf("Run: %v", err)
				}
			case <-time.After(30 * time.Second):
				s.t.Error("Run does not end")
			}
		})
	}
	s.t.Cleanup(stop)
	return stop
}

// rows waits until the queue looks as wanted.
func (s *site) rows(what string, ok func([]store.Delivery) bool) []store.Delivery {
	s.t.Helper()
	var rows []store.Delivery
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var err error
		if rows, err = s.Queue(s.t.Context(), 10000); err != nil {
			s.t.Fatal(err)
		}
		if ok(rows) {
			return rows
		}
	}
	s.t.Fatalf("the queue is not %s: %d rows, %+v\n%s", what, len(rows), rows[:min(len(rows), 3)], s.logged())
	return nil
}

func empty(rows []store.Delivery) bool { return len(rows) == 0 }

// send lets time pass in which the queue is sent: so many times so long, without
// a break.
func (s *site) send(times int, each time.Duration) {
	s.t.Helper()
	for range times {
		s.ahead.Add(int64(each))
		if _, err := s.Sending(s.t.Context(), longestBreak); err != nil {
			s.t.Fatal(err)
		}
	}
}

// waiting: all rows were tried and wait for their next time.
func (s *site) waiting(rows []store.Delivery) bool {
	for _, r := range rows {
		if r.LastError == "" || !r.LeasedTill.IsZero() || !r.DueAt.After(s.now()) {
			return false
		}
	}
	return true
}

func (s *site) records() []store.Recorded {
	s.t.Helper()
	list, err := s.Records(s.t.Context(), 100)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}
