package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// threadView is a thread as the API shows one: who takes part and what it is
// about. What its members wrote is theirs, the subject too; and when the newest
// message came would tell of those that a block keeps away.
type threadView struct {
	ID           string    `json:"id"`
	Status       string    `json:"status"`
	StartedBy    *string   `json:"started_by"` // null: the platform, or a former member
	Participants []*string `json:"participants"`
	Production   *string   `json:"production"`
	Role         *string   `json:"role"`
	CreatedAt    time.Time `json:"created_at"`
}

func (s *Server) threadView(v threading.ThreadView) threadView {
	t := threadView{
		ID: s.o.Store.Keyring().Token(seal.TokenThread, v.Thread.ID), Status: string(v.Thread.Status), Participants: []*string{}, CreatedAt: v.Thread.CreatedAt.UTC(),
		Production: orNil(v.Production.Slug), Role: orNil(v.Role.Slug),
	}
	for _, m := range v.Participants {
		t.Participants = append(t.Participants, orNil(m.Handle))
		if m.ID == v.Thread.StartedBy {
			t.StartedBy = orNil(m.Handle)
		}
	}
	return t
}

// orNil is a name as JSON shows it: null for none.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (s *Server) listThreads(c *call) (any, error) {
	l, err := s.listing(c, "member", "status")
	if err != nil {
		return nil, err
	}
	f := store.ThreadFilter{Status: threading.ThreadStatus(l.query.Get("status")), Before: l.atID(), Limit: l.limit + 1}
	if f.Status != "" && f.Status != threading.ThreadOpen && f.Status != threading.ThreadClosed {
		return nil, problemf(errBadRequest, "status must be open or closed.")
	}
	if handle := l.query.Get("member"); handle != "" {
		m, err := s.memberNamed(c, handle, func(string) error { return problemf(errBadRequest, "member: there is no member with this handle.") })
		if err != nil {
			return nil, err
		}
		f.Member = m.ID
	}
	list, err := s.o.Store.ThreadsByAge(c, f)
	if err != nil {
		return nil, err
	}
	return paged(s, c, l, list, func(v threading.ThreadView) string { return strconv.FormatInt(int64(v.Thread.ID), 10) }, s.threadView), nil
}

// thread finds a thread by the ID in the path.
func (s *Server) thread(c *call) (threading.ThreadView, error) {
	id, err := s.id(c, "thread", seal.TokenThread)
	if err != nil {
		return threading.ThreadView{}, err
	}
	v, err := s.o.Store.Thread(c, id)
	if errors.Is(err, store.ErrNotFound) {
		err = problemf(errNotFound, "There is no such thread.")
	}
	return v, err
}

func (s *Server) getThread(c *call) (any, error) {
	v, err := s.thread(c)
	return s.threadView(v), err
}

// startThread files a member's first message to another, as if it came by the
// contact form.
func (s *Server) startThread(c *call) (any, error) {
	var b struct {
		From       string `json:"from"`
		To         string `json:"to"`
		Subject    string `json:"subject"`
		Text       string `json:"text"`
		Production string `json:"production"`
		Role       string `json:"role"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	var l checks
	l.value("/from", b.From, required)
	l.value("/to", b.To, required)
	l.value("/text", b.Text, required)
	if b.From != "" && b.From == b.To {
		l = append(l, fieldError{"/to", "It must be another member than from."})
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	form := relay.ContactForm{Subject: b.Subject, Text: b.Text, Production: b.Production, Role: b.Role}
	if c.once != "" {
		form.Once = "api " + c.once
	}
	var err error
	if form.Writer, err = s.memberNamed(c, b.From, noMember("/from")); err != nil {
		return nil, err
	}
	if form.To, err = s.memberNamed(c, b.To, noMember("/to")); err != nil {
		return nil, err
	}
	filed, err := s.o.Pipeline.Contact(c, form)
	if err != nil {
		return nil, err
	}
	v, err := s.o.Store.Thread(c, filed.ThreadID)
	if err != nil {
		return nil, err
	}
	view := s.threadView(v)
	s.created(c, path("threads", view.ID))
	return view, nil
}

// changeThread closes a thread.
func (s *Server) changeThread(c *call) (any, error) {
	var b struct {
		Status string `json:"status"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	if b.Status != string(threading.ThreadClosed) {
		return nil, invalid(fieldError{"/status", "A thread can only be closed: write closed."})
	}
	v, err := s.thread(c)
	if err == nil {
		err = c.matches(s.threadView(v))
	}
	if err == nil {
		err = s.o.Store.CloseThread(c, v.Thread.ID)
	}
	v.Thread.Status = threading.ThreadClosed
	return s.threadView(v), err
}

// addNote files a message of the platform's own.
func (s *Server) addNote(c *call) (any, error) {
	var b struct {
		To      string `json:"to"`
		Subject string `json:"subject"`
		Text    string `json:"text"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	var l checks
	l.value("/to", b.To, required)
	l.value("/subject", b.Subject, required)
	l.value("/text", b.Text, required)
	if err := l.err(); err != nil {
		return nil, err
	}
	n := relay.Note{Subject: b.Subject, Text: b.Text}
	if c.once != "" {
		n.Once = "api " + c.once
	}
	var err error
	if n.To, err = s.memberNamed(c, b.To, noMember("/to")); err != nil {
		return nil, err
	}
	filed, err := s.o.Pipeline.Note(c, n)
	keys := s.o.Store.Keyring()
	return map[string]string{"thread": keys.Token(seal.TokenThread, filed.ThreadID), "message": keys.Token(seal.TokenMessage, filed.MessageID), "to": n.To.Handle}, err
}
