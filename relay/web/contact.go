package web

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

const (
	maxMisses   = 30 // forms to nobody that a member may ask for in an hour
	contactTime = 5 * time.Minute
)

// contactPage is what the contact form shows.
type contactPage struct {
	Action, To     string
	Problem        problem
	SignIn         string // where a writer who is not signed in any more does that; else empty
	Subject, Text  string
	About          string // what is chosen: PRODUCTION or PRODUCTION/ROLE
	Choices        []aboutGroup
	Ticket, Once   string
	MaxSubject     int
	MaxFiles       int
	MaxMB          int64
	FilesAreToPick bool // files were chosen, and must be again
}

// aboutGroup is a production with its roles, which a message may be about.
type aboutGroup struct {
	Title   string
	Choices []aboutChoice
}

type aboutChoice struct {
	Value, Label string
	Chosen       bool
}

// correspondents are the two ends of a contact form.
type correspondents struct {
	writer, to threading.Member
	ticket     ticket // zero: the writer is signed in
	link       linkID // that the platform's link opens the form by; zero: none
}

// The answers to a form whose ends are not known.
var (
	errUnknownWriter = errors.New("nobody is signed in")
	errLinkOver      = errors.New("the link or its form does not work any more")
	errLinkUsed      = errors.New("the link has been used")
	errNobody        = errors.New("there is no such member")
	errTooManyMisses = errors.New("too many members who are not there were asked for")
)

// contactForm shows the form that writes to a member.
func (s *Server) contactForm(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	c, err := s.openers(ctx, r)
	switch {
	case errors.Is(err, errUnknownWriter) && s.embedded(r):
		s.frame(w, http.StatusForbidden, s.contactFrame(r, "Write a message"), "signinfirst", s.o.BaseURL+r.URL.Path)
	case errors.Is(err, errUnknownWriter):
		to := r.URL.Path
		if about := r.URL.Query().Get("about"); about != "" {
			to += "?about=" + url.QueryEscape(about)
		}
		s.toSignIn(w, r, to)
	case err != nil:
		s.contactFailed(w, r, err)
	default:
		q := r.URL.Query()
		p := contactPage{Subject: q.Get("subject"), About: q.Get("about")}
		if c.link != (linkID{}) {
			p.Ticket = s.newTicket(c.writer.ID, c.to.ID, c.link)
		}
		s.showContact(ctx, w, r, http.StatusOK, c, p)
	}
}

// openers finds out who opens a form to whom: who is signed in, or whom the
// platform's signed link names. A visitor who is not known learns nothing about
// the recipient.
func (s *Server) openers(ctx context.Context, r *http.Request) (c correspondents, err error) {
	q, handle := r.URL.Query(), r.PathValue("handle")
	from := q.Get("from")
	if from == "" {
		return s.signedIn(ctx, r)
	}
	var ok bool
	if c.link, ok = s.signedLink(handle, from, q.Get("expires"), q.Get("sig"), s.now()); !ok {
		return c, errLinkOver
	}
	if used, err := s.o.Store.LinkUsed(ctx, c.link[:]); err != nil {
		return c, err
	} else if used {
		return c, errLinkUsed
	}
	if c.writer, err = s.o.Store.MemberByHandle(ctx, from); errors.Is(err, store.ErrNotFound) || err == nil && c.writer.Status != threading.MemberActive {
		return c, errLinkOver
	} else if err != nil {
		return c, err
	}
	return c, s.recipient(ctx, handle, &c)
}

// signedIn are the ends of a form whose writer has a session. Who asks for many
// members that are not there is tried out no further.
func (s *Server) signedIn(ctx context.Context, r *http.Request) (c correspondents, err error) {
	v, ok, err := s.visitor(ctx, r)
	if err != nil {
		return c, err
	} else if !ok {
		return c, errUnknownWriter
	}
	if s.misses.used(v.Handle) >= maxMisses {
		return c, errTooManyMisses
	}
	c.writer = v.Member
	if err = s.recipient(ctx, r.PathValue("handle"), &c); errors.Is(err, errNobody) {
		s.misses.allow(v.Handle, maxMisses)
	}
	return c, err
}

func (s *Server) recipient(ctx context.Context, handle string, c *correspondents) (err error) {
	c.to, err = s.o.Store.MemberByHandle(ctx, handle)
	if errors.Is(err, store.ErrNotFound) || err == nil && (c.to.Status != threading.MemberActive || c.to.ID == c.writer.ID) {
		return errNobody
	}
	return err
}

// senders finds out who sends a form to whom.
func (s *Server) senders(ctx context.Context, r *http.Request, text string) (c correspondents, err error) {
	if text == "" {
		return s.signedIn(ctx, r)
	}
	t, ok, _ := s.parseTicket(text)
	if !ok {
		return c, errLinkOver
	}
	c.ticket = t
	if c.writer, err = s.o.Store.Member(ctx, t.Writer); err == nil {
		err = s.recipient(ctx, r.PathValue("handle"), &c)
	}
	switch {
	case err != nil:
		return c, err
	case c.writer.Status != threading.MemberActive || c.to.ID != t.To:
		return c, errLinkOver
	}
	// The first form that is sent takes the link: whoever found it elsewhere is
	// late, and this one may be sent again until it is right.
	return c, s.o.Store.UseLink(ctx, t.Link[:], t.Once[:], time.Unix(t.Until, 0).Add(maxLinkFor))
}

// contact takes the form and starts a conversation.
func (s *Server) contact(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), contactTime+workTime)
	defer cancel()
	var c correspondents
	var err error
	within := s.forms.allow(network(r), s.o.FormsPerNetwork)
	f := s.readContact(r, func(ticket string) bool {
		if c, err = s.senders(ctx, r, ticket); err == nil && within {
			within = s.ownForms.allow(c.writer.Handle, s.o.FormsPerMember)
		}
		if err != nil || !within {
			return false
		}
		// Files take longer than the server's own bound, of those we know.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(contactTime))
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(contactTime + workTime))
		return true
	})
	defer f.close()
	draft := contactPage{Subject: f.Subject, Text: f.Text, About: f.about, Once: f.Once, Ticket: f.ticket, Problem: f.wrong, FilesAreToPick: f.sawFiles}
	switch {
	case errors.Is(err, errUnknownWriter):
		draft.SignIn = s.base + "/signin?to=" + url.QueryEscape(atSettings)
		draft.Problem = problem{Text: "You are not signed in any more, so nothing was sent. Sign in by the link below, in a new tab; then press Send here."}
		s.showDraft(w, r, http.StatusForbidden, draft)
		return
	case errors.Is(err, errLinkOver), errors.Is(err, store.ErrLinkUsed):
		draft.Problem, draft.Ticket = problem{Text: "This form does not work any more, so nothing was sent. Keep your text, go back to the profile and press Contact again."}, ""
		s.showDraft(w, r, http.StatusForbidden, draft)
		return
	case err != nil:
		s.contactFailed(w, r, err)
		return
	}
	status := http.StatusUnprocessableEntity
	if !within {
		status, draft.Problem = http.StatusTooManyRequests, problem{Text: "So many messages have been sent from here that you have to wait a little. Please try again in an hour."}
	}
	if draft.Problem.Text == "" {
		f.Writer, f.To = c.writer, c.to
		if c.ticket.Writer != 0 {
			f.Once, f.Single = hex.EncodeToString(c.ticket.Once[:]), true
		}
		var again time.Duration
		if draft.Problem, again, err = s.send(ctx, f); again > 0 {
			status = http.StatusTooManyRequests
			w.Header().Set("Retry-After", strconv.Itoa(int(again/time.Second)))
		}
		if err == nil && draft.Problem.Text == "" {
			p := s.contactFrame(r, "Your message has been sent")
			s.frame(w, http.StatusCreated, p, "text", []string{c.to.DisplayName() + " will find it in the mailbox. You will find it in Sent, and the answer in your Inbox."})
			return
		} else if err != nil {
			s.log.Error("a contact form failed", "error", err)
			status, draft.Problem = http.StatusServiceUnavailable, problem{Text: "Something went wrong here. Please try again in a few minutes."}
		}
	}
	s.showContact(ctx, w, r, status, c, draft)
}

// send files the form's message, or says what is wrong with it; and, if it was
// one too many, when to try again.
func (s *Server) send(ctx context.Context, f *contactPost) (problem, time.Duration, error) {
	f.Production, f.Role, _ = strings.Cut(f.about, "/")
	offered, err := s.offered(ctx, f.ContactForm)
	if err != nil {
		return problem{}, 0, err
	} else if !offered {
		return problem{Field: "about", Text: "Please choose one of the productions that the form offers."}, 0, nil
	}
	_, err = s.o.Pipeline.Contact(ctx, f.ContactForm)
	var refused *relay.Refusal
	if errors.As(err, &refused) {
		return problem{Field: refused.Field, Text: refused.Text}, refused.RetryAfter, nil
	}
	return problem{}, 0, err
}

// offered reports whether the form's production is one of the writer's or the
// recipient's.
func (s *Server) offered(ctx context.Context, f relay.ContactForm) (bool, error) {
	if f.Production == "" {
		return true, nil
	}
	list, err := s.o.Store.ProductionsOf(ctx, f.Writer.ID, f.To.ID)
	for _, p := range list {
		if p.Slug == f.Production {
			return true, err
		}
	}
	return false, err
}

// showContact shows the form to whom it is for.
func (s *Server) showContact(ctx context.Context, w http.ResponseWriter, r *http.Request, status int, c correspondents, p contactPage) {
	productions, err := s.o.Store.ProductionsOf(ctx, c.writer.ID, c.to.ID)
	if err != nil {
		s.failed(w, err)
		return
	}
	for _, x := range productions {
		g := aboutGroup{Title: x.Title, Choices: []aboutChoice{{x.Slug, x.Title, x.Slug == p.About}}}
		roles, err := s.o.Store.Roles(ctx, x.ID)
		if err != nil {
			s.failed(w, err)
			return
		}
		for _, r := range roles {
			value := x.Slug + "/" + r.Slug
			g.Choices = append(g.Choices, aboutChoice{value, r.Title + " in " + x.Title, value == p.About})
		}
		p.Choices = append(p.Choices, g)
	}
	p.To = c.to.DisplayName()
	s.showForm(w, r, status, "Write to "+p.To, p)
}

// showDraft gives a form back to a writer who is not known: with what they
// wrote, and nothing of the recipient.
func (s *Server) showDraft(w http.ResponseWriter, r *http.Request, status int, p contactPage) {
	s.showForm(w, r, status, "Your message was not sent", p)
}

func (s *Server) showForm(w http.ResponseWriter, r *http.Request, status int, title string, p contactPage) {
	p.Action, p.MaxSubject, p.MaxFiles, p.MaxMB = s.base+r.URL.EscapedPath(), relay.MaxContactSubject/4, relay.MaxContactFiles, s.maxMessage()>>20
	if s.embedded(r) {
		p.Action += "?embed=1"
		p.Problem.Framed = true
	}
	if p.Once == "" {
		p.Once = rand.Text()
	}
	f := s.contactFrame(r, title)
	f.Problem = p.Problem.Text != ""
	s.frame(w, status, f, "contact", p)
}

// contactFailed says why there is no form.
func (s *Server) contactFailed(w http.ResponseWriter, r *http.Request, err error) {
	tell := func(status int, title string, sentences ...string) {
		s.frame(w, status, s.contactFrame(r, title), "text", sentences)
	}
	switch {
	case errors.Is(err, errLinkOver):
		tell(http.StatusForbidden, "This link does not work any more", "Please go back to the profile and press Contact again.")
	case errors.Is(err, errLinkUsed):
		tell(http.StatusForbidden, "This link has been used", "To write once more, go back to the profile and press Contact again.")
	case errors.Is(err, errNobody):
		tell(http.StatusNotFound, "There is no such member", "Perhaps they have left.")
	case errors.Is(err, errTooManyMisses):
		tell(http.StatusTooManyRequests, "Please wait a little", "You have looked for many members who are not here. Please try again in an hour.")
	default:
		s.failed(w, err)
	}
}
