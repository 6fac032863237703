package web

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Bounds of a posted contact form beside its files, in octets.
const (
	maxField    = relay.MaxContactText + 1024
	maxForms    = 200 // of one network in an hour
	contactTime = 5 * time.Minute
)

// contactPage is what the contact form shows.
type contactPage struct {
	To, Problem   string
	Subject, Text string
	About         string // what is chosen: PRODUCTION or PRODUCTION/ROLE
	Choices       []aboutChoice
	Once          string
	MaxSubject    int
}

// aboutChoice is a production or role that a message may be about.
type aboutChoice struct {
	Value, Label string
	Chosen       bool
}

// contactWriter finds out who writes a contact form: who is signed in, or whom
// the platform's signed link names.
func (s *Server) contactWriter(ctx context.Context, r *http.Request) (threading.Member, bool, error) {
	q := r.URL.Query()
	if from := q.Get("from"); from != "" {
		if !s.signedLink(r.PathValue("handle"), from, q.Get("expires"), q.Get("sig"), s.now()) {
			return threading.Member{}, false, nil
		}
		m, err := s.o.Store.MemberByHandle(ctx, from)
		if errors.Is(err, store.ErrNotFound) || err == nil && m.Status != threading.MemberActive {
			return threading.Member{}, false, nil
		}
		return m, err == nil, err
	}
	v, ok, err := s.visitor(ctx, r)
	return v.Member, ok, err
}

// signedLink checks a link that the platform made: sig is the HMAC-SHA256, in
// hexadecimal, of "contact", to, from and expires, each ended by a line feed,
// under the API token; expires is in seconds since 1970.
func (s *Server) signedLink(to, from, expires, sig string, now time.Time) bool {
	until, err := strconv.ParseInt(expires, 10, 64)
	mac, merr := hex.DecodeString(sig)
	if err != nil || merr != nil || s.o.LinkKey == "" || now.Unix() > until {
		return false
	}
	h := hmac.New(sha256.New, []byte(s.o.LinkKey))
	_, _ = io.WriteString(h, "contact\n"+to+"\n"+from+"\n"+expires+"\n")
	return hmac.Equal(h.Sum(nil), mac)
}

// contactForm shows the form that writes to a member.
func (s *Server) contactForm(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), workTime)
	defer cancel()
	writer, to, ok := s.contactEnds(ctx, w, r)
	if !ok {
		return
	}
	q := r.URL.Query()
	s.showContact(ctx, w, http.StatusOK, writer, to, contactPage{Subject: q.Get("subject"), About: q.Get("about")})
}

// contactEnds finds writer and recipient, or answers. A visitor who is not
// known learns nothing about the recipient.
func (s *Server) contactEnds(ctx context.Context, w http.ResponseWriter, r *http.Request) (writer, to threading.Member, ok bool) {
	writer, known, err := s.contactWriter(ctx, r)
	switch {
	case err != nil:
		s.failed(w, err)
		return writer, to, false
	case !known && r.URL.Query().Get("from") != "":
		s.tell(w, http.StatusForbidden, "This link does not work any more", "Please go back to the profile and press Contact again.")
		return writer, to, false
	case !known && r.Method == http.MethodGet:
		http.Redirect(w, r, s.base+"/signin?to="+r.URL.Path, http.StatusSeeOther)
		return writer, to, false
	case !known:
		s.tell(w, http.StatusForbidden, "Please sign in again", "Your session has ended, so nothing was sent. Sign in and try again.")
		return writer, to, false
	}
	to, err = s.o.Store.MemberByHandle(ctx, r.PathValue("handle"))
	if errors.Is(err, store.ErrNotFound) || err == nil && (to.Status != threading.MemberActive || to.ID == writer.ID) {
		s.tell(w, http.StatusNotFound, "There is no such member", "Perhaps they have left.")
		return writer, to, false
	} else if err != nil {
		s.failed(w, err)
		return writer, to, false
	}
	return writer, to, true
}

func (s *Server) showContact(ctx context.Context, w http.ResponseWriter, status int, writer, to threading.Member, p contactPage) {
	productions, err := s.o.Store.ProductionsOf(ctx, writer.ID, to.ID)
	if err != nil {
		s.failed(w, err)
		return
	}
	for _, x := range productions {
		p.Choices = append(p.Choices, aboutChoice{x.Slug, x.Title, x.Slug == p.About})
		roles, err := s.o.Store.Roles(ctx, x.ID)
		if err != nil {
			s.failed(w, err)
			return
		}
		for _, r := range roles {
			value := x.Slug + "/" + r.Slug
			p.Choices = append(p.Choices, aboutChoice{value, r.Title + " in " + x.Title, value == p.About})
		}
	}
	p.To, p.MaxSubject = to.DisplayName(), relay.MaxContactSubject/4
	if p.Once == "" {
		p.Once = rand.Text()
	}
	s.show(w, status, "Write to "+p.To, "contact", p)
}

// contact takes the form and starts a conversation.
func (s *Server) contact(w http.ResponseWriter, r *http.Request) {
	// Files take longer than the server's own bound.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(contactTime))
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(contactTime + workTime))
	ctx, cancel := context.WithTimeout(r.Context(), contactTime+workTime)
	defer cancel()
	writer, to, ok := s.contactEnds(ctx, w, r)
	if !ok {
		return
	}
	if !s.forms.allow(remoteIP(r), maxForms) {
		s.tell(w, http.StatusTooManyRequests, "That was a lot", "So many messages have come from your network that you have to wait a little. Please try again in an hour.")
		return
	}
	f, about, problem := s.readContact(r)
	defer closeFiles(f.Files)
	f.Writer, f.To = writer, to
	status := http.StatusUnprocessableEntity
	if problem == "" {
		f.Production, f.Role, _ = strings.Cut(about, "/")
		offered, err := s.offered(ctx, f)
		if err == nil && offered {
			_, err = s.o.Pipeline.Contact(ctx, f)
		}
		var refused *relay.Refusal
		switch {
		case !offered && err == nil:
			problem = "Please choose one of the productions that the form offers."
		case err == nil:
			s.tell(w, http.StatusCreated, "Your message has been sent", to.DisplayName()+" will find it in the mailbox. You will find it in Sent, and the answer in your Inbox.")
			return
		case errors.As(err, &refused):
			problem = refused.Text
			if refused.RetryAfter > 0 {
				status = http.StatusTooManyRequests
				w.Header().Set("Retry-After", strconv.Itoa(int(refused.RetryAfter/time.Second)))
			}
		default:
			s.log.Error("a contact form failed", "error", err)
			problem, status = "Something went wrong here. Please try again in a few minutes.", http.StatusServiceUnavailable
		}
	}
	s.showContact(ctx, w, status, writer, to, contactPage{Problem: problem, Subject: f.Subject, Text: f.Text, About: about, Once: f.Once})
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

func closeFiles(files []relay.ContactFile) {
	for _, f := range files {
		_ = f.Data.Close()
	}
}

// readContact reads the form's parts one after another. problem says, for the
// writer, what is wrong with it.
func (s *Server) readContact(r *http.Request) (f relay.ContactForm, about, problem string) {
	parts, err := r.MultipartReader()
	if err != nil {
		return f, "", "The form did not arrive as a whole. Please send it again."
	}
	fields := map[string]*string{"subject": &f.Subject, "text": &f.Text, "about": &about, "once": &f.Once}
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return f, about, ""
		} else if err != nil || n > 4*relay.MaxContactFiles {
			return f, about, tooMuch(err)
		}
		if field := fields[part.FormName()]; field != nil {
			b, err := io.ReadAll(io.LimitReader(part, maxField))
			if err != nil {
				return f, about, tooMuch(err)
			}
			*field = strings.ToValidUTF8(string(b), "\uFFFD")
			continue
		}
		if part.FormName() != "files" || part.FileName() == "" {
			continue
		}
		data, err := s.readFile(part)
		if err != nil {
			return f, about, tooMuch(err)
		}
		f.Files = append(f.Files, relay.ContactFile{Name: part.FileName(), Type: part.Header.Get("Content-Type"), Data: data})
		if len(f.Files) > relay.MaxContactFiles {
			return f, about, "There are too many files: at most " + strconv.Itoa(relay.MaxContactFiles) + " are allowed."
		}
	}
}

func (s *Server) readFile(part *multipart.Part) (*spool.Message, error) {
	return spool.Read(part, s.o.TempDir, s.maxMessage())
}

// tooMuch says what is wrong with a form that could not be read.
func tooMuch(err error) string {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, spool.ErrTooLarge) {
		return "The files are too large together. Please send fewer, or smaller ones."
	}
	return "The form did not arrive as a whole. Please send it again."
}
