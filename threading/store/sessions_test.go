package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stagedoor/stagedoor/threading"
)

func TestSessions(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	cookie, err := x.NewSession(x.ctx, tess.ID, strings.Repeat("Browser ", 100))
	x.do(err)
	s, err := x.Session(x.ctx, cookie)
	if err != nil || s.MemberID != tess.ID || len(s.Agent) != maxAgent {
		t.Fatalf("%+v, %v", s, err)
	}
	if strings.Contains(string(x.database()), cookie) {
		t.Error("the cookie stands in the database")
	}
	if _, err := x.Session(x.ctx, cookie+"x"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another cookie: %v", err)
	}
	// In use it lasts, but not for ever.
	ends := 0
	for day := range 200 {
		x.clock.advance(24 * time.Hour)
		if _, err := x.Session(x.ctx, cookie); err != nil {
			ends = day + 1
			break
		}
	}
	if want := int(SessionFor/(24*time.Hour)) + 1; ends != want && ends != want-1 {
		t.Errorf("a session in use ends on day %d", ends)
	}
	second, err := x.NewSession(x.ctx, tess.ID, "")
	x.do(err)
	x.clock.advance(SessionIdle + time.Minute)
	if _, err := x.Session(x.ctx, second); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unused session: %v", err)
	}
	x.sweep()
	if n := x.count("sessions"); n != 0 {
		t.Errorf("%d sessions after the sweep", n)
	}
}

func TestEndSession(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	var cookies []string
	for range maxSessions + 5 {
		x.clock.advance(time.Second)
		c, err := x.NewSession(x.ctx, tess.ID, "")
		x.do(err)
		cookies = append(cookies, c)
	}
	list, err := x.Sessions(x.ctx, tess.ID)
	if err != nil || len(list) != maxSessions {
		t.Fatalf("%d sessions, %v", len(list), err)
	}
	x.do(x.EndSession(x.ctx, sam.ID, list[0].ID, 0)) // not Sam's to end
	if list, _ := x.Sessions(x.ctx, tess.ID); len(list) != maxSessions {
		t.Error("somebody else ended a session")
	}
	x.do(x.EndSession(x.ctx, tess.ID, list[1].ID, 0))
	x.do(x.EndSession(x.ctx, tess.ID, 0, list[0].ID))
	if left, _ := x.Sessions(x.ctx, tess.ID); len(left) != 1 || left[0].ID != list[0].ID {
		t.Errorf("left are %+v", left)
	}
	if _, err := x.Session(x.ctx, cookies[len(cookies)-1]); err != nil {
		t.Errorf("the one that was kept: %v", err)
	}
	x.do(x.RemoveMember(x.ctx, tess.ID))
	if _, err := x.NewSession(x.ctx, tess.ID, ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("a former member signs in: %v", err)
	}
}

func TestSignInLinks(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	var ids []threading.ID
	link := func() error {
		_, err := x.NewSignInLink(x.ctx, tess.ID, "192.0.2.1/32", func(id threading.ID) (Notice, error) {
			ids = append(ids, id)
			return Notice{Header: []byte("Subject: sign in\r\n\r\n"), Body: x.body("link")}, nil
		})
		return err
	}
	for range maxLinks {
		x.do(link())
	}
	if err := link(); !errors.Is(err, ErrTooManyLinks) {
		t.Errorf("one more: %v", err)
	}
	if q, _ := x.Queue(x.ctx, 10); len(q) != maxLinks || q[0].MemberID != tess.ID {
		t.Errorf("queue %+v", q)
	}
	x.do(x.SignInLink(x.ctx, ids[0]))
	if m, err := x.UseSignInLink(x.ctx, ids[0]); err != nil || m != tess.ID {
		t.Errorf("%v, %v", m, err)
	}
	for name, err := range map[string]error{"looked at": x.SignInLink(x.ctx, ids[0])} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s after its use: %v", name, err)
		}
	}
	if _, err := x.UseSignInLink(x.ctx, ids[0]); !errors.Is(err, ErrNotFound) {
		t.Errorf("used twice: %v", err)
	}
	x.clock.advance(SignInLinkFor + time.Second)
	if _, err := x.UseSignInLink(x.ctx, ids[1]); !errors.Is(err, ErrNotFound) {
		t.Errorf("used late: %v", err)
	}
	x.do(link()) // the old ones are forgotten
	id, err := x.NewSignInLink(x.ctx, tess.ID, "", nil)
	x.do(err)
	if m, err := x.UseSignInLink(x.ctx, id); err != nil || m != tess.ID {
		t.Errorf("one that was not mailed: %v, %v", m, err)
	}
	if q, _ := x.Queue(x.ctx, 10); len(q) != maxLinks+1 {
		t.Errorf("%d are mailed", len(q))
	}
}

// Others who ask for a member's links leave some for the member, wherever that
// is; and all of them together don't fill a mailbox.
func TestSignInLinksForOthers(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	ask := func(requester string) error {
		return second(x.NewSignInLink(x.ctx, tess.ID, requester, nil))
	}
	for range maxLinks {
		x.do(ask("192.0.2.1/32"))
	}
	if err := ask("192.0.2.1/32"); !errors.Is(err, ErrTooManyLinks) {
		t.Errorf("one more of the same: %v", err)
	}
	for i := range maxAllLinks - maxLinks {
		x.do(ask(fmt.Sprint("2001:db8::", i/maxLinks, "/64")))
	}
	if err := ask("198.51.100.1/32"); !errors.Is(err, ErrTooManyLinks) {
		t.Errorf("one more of another: %v", err)
	}
	for range maxLinks {
		x.do(ask("")) // signed in
	}
	if err := ask(""); !errors.Is(err, ErrTooManyLinks) {
		t.Errorf("one more of her own: %v", err)
	}
	x.clock.advance(SignInLinkFor + time.Second)
	x.do(ask("192.0.2.1/32"))
}

// A browser's name is cut between two characters.
func TestLongAgent(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	x.do(second(x.NewSession(x.ctx, tess.ID, "x"+strings.Repeat("ö", maxAgent))))
	if list, err := x.Sessions(x.ctx, tess.ID); err != nil || len(list) != 1 || !utf8.ValidString(list[0].Agent) || len(list[0].Agent) != maxAgent-1 {
		t.Errorf("%q, %v", list, err)
	}
}
