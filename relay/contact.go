package relay

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// ContactForm starts a thread without a mail client.
type ContactForm struct {
	Writer     threading.Member
	To         threading.Member
	Subject    string
	Production string // slug, may be empty
	Role       string // slug, may be empty; needs a production
	Text       string
	Files      []ContactFile
	// Once, if set, makes a form that is sent twice one message.
	Once string
	// Single takes, with Once, one message and no other.
	Single bool
}

// ContactFile is a file that is attached to a ContactForm.
type ContactFile struct {
	Name string
	Type string // media type; empty or not valid: application/octet-stream
	Data *spool.Message
}

// Bounds of a ContactForm, in octets.
const (
	MaxContactSubject = 500
	MaxContactText    = 1 << 20
	MaxContactFiles   = 10
)

// Contact files the form's message as the first of a new thread. What is wrong
// with the form is a *Refusal.
func (p *Pipeline) Contact(ctx context.Context, f ContactForm) (threading.Filed, error) {
	a, err := p.checkContact(ctx, f)
	if err != nil {
		return threading.Filed{}, err
	}
	msg, err := p.contactMessage(f)
	if err != nil {
		return threading.Filed{}, err
	}
	defer msg.Close()
	h, err := readHead(msg.Open())
	if err != nil {
		return threading.Filed{}, err
	}
	pl := &plan{writer: f.Writer, letters: []*letter{p.newLetter(f.Writer, []addressee{a})}}
	if f.Single {
		pl.single = p.o.Store.Keyring().Hash("contact-single", f.Once)
	}
	if err := p.wantsAnswers(ctx, pl.letters[0]); err != nil {
		return threading.Filed{}, err
	}
	filed, err := p.fileAll(ctx, pl, h, msg)
	if err != nil {
		return threading.Filed{}, err
	}
	return filed[0], nil
}

func (p *Pipeline) checkContact(ctx context.Context, f ContactForm) (addressee, error) {
	a := addressee{member: f.To}
	switch {
	case f.Writer.Status != threading.MemberActive:
		return a, refuse(550, 5, 7, 1, "The writer's account is not active.")
	case f.To.Status != threading.MemberActive:
		return a, errNoSuchMember
	case strings.TrimSpace(f.Text) == "":
		return a, refuse(554, 5, 6, 0, "The message is empty: write something first.").about("text")
	case len(f.Text) > MaxContactText:
		return a, refuse(552, 5, 3, 4, "The message is too long: at most %d octets are allowed.", MaxContactText).about("text")
	case len(f.Subject) > MaxContactSubject:
		return a, refuse(552, 5, 3, 4, "The subject is too long: at most %d octets are allowed.", MaxContactSubject).about("subject")
	case !utf8.ValidString(f.Subject), strings.ContainsAny(f.Subject, "\r\n\x00"):
		return a, refuse(554, 5, 6, 0, "The subject must be one line of text.").about("subject")
	case len(f.Files) > MaxContactFiles:
		return a, refuse(552, 5, 3, 4, "There are too many files: at most %d are allowed.", MaxContactFiles).about("files")
	case f.Role != "" && f.Production == "":
		return a, refuse(554, 5, 6, 0, "A role belongs to a production: name the production as well.").about("about")
	}
	if f.Production == "" {
		return a, p.takesFirst(ctx, f.Writer, []addressee{a})
	}
	var err error
	a.production, err = p.o.Store.ProductionBySlug(ctx, f.Production)
	if err == nil && f.Role != "" {
		a.role, err = p.o.Store.RoleBySlug(ctx, a.production.ID, f.Role)
	}
	if errors.Is(err, store.ErrNotFound) {
		return a, errNoSuchRole
	} else if err != nil {
		return a, err
	}
	if !a.production.ClosedAt.IsZero() {
		return a, errProductionClosed(a.production)
	}
	return a, p.takesFirst(ctx, f.Writer, []addressee{a})
}

// contactMessage writes the form as a message, so that it takes the same way
// as all others.
func (p *Pipeline) contactMessage(f ContactForm) (*spool.Message, error) {
	once := f.Once
	if once == "" {
		once = p.o.Store.IDs().Next().String()
	}
	var w headerWriter
	w.addresses("From", p.contactAddress(f.Writer))
	w.addresses("To", p.contactAddress(f.To))
	w.unstructured("Subject", f.Subject)
	token := hex.EncodeToString(p.o.Store.Keyring().Hash("contact", once))
	w.messageIDs("Message-ID", "contact."+token+"@"+p.o.Domain)
	w.field("MIME-Version", "1.0")
	out := spool.NewWriter(p.o.TempDir)
	defer out.Discard()
	text := strings.ReplaceAll(strings.ToValidUTF8(f.Text, "\uFFFD"), "\r\n", "\n")
	var err error
	if len(f.Files) == 0 {
		w.field("Content-Type", "text/plain; charset=utf-8")
		w.field("Content-Transfer-Encoding", "quoted-printable")
		w.WriteString("\r\n")
		if _, err = out.Write(w.Bytes()); err == nil {
			err = writeQuoted(out, text)
		}
	} else {
		m := multipart.NewWriter(out)
		if err := m.SetBoundary("form-" + token); err != nil { // the same form makes the same message
			return nil, err
		}
		w.field("Content-Type", mime.FormatMediaType("multipart/mixed", map[string]string{"boundary": m.Boundary()}))
		w.WriteString("\r\n")
		if _, err = out.Write(w.Bytes()); err == nil {
			err = writeParts(m, text, f.Files)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("write the form's message: %w", err)
	}
	return out.Message()
}

func writeParts(m *multipart.Writer, text string, files []ContactFile) error {
	part, err := m.CreatePart(textproto.MIMEHeader{"Content-Type": {"text/plain; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
	if err == nil {
		err = writeQuoted(part, text)
	}
	for _, f := range files {
		if err != nil {
			return err
		}
		if part, err = m.CreatePart(fileHeader(f)); err != nil {
			return err
		}
		lines := &lineBreaker{w: part}
		encoder := base64.NewEncoder(base64.StdEncoding, lines)
		if err = f.Data.CopyTo(encoder, 0); err == nil {
			err = encoder.Close()
		}
	}
	if err != nil {
		return err
	}
	return m.Close()
}

// fileHeader is the header of a file's part. Its name is what the browser
// says: only the last element of a path, and nothing that ends a line.
func fileHeader(f ContactFile) textproto.MIMEHeader {
	name := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(f.Name[strings.LastIndexAny(f.Name, "/\\")+1:], "\uFFFD"))
	kind, _, err := mime.ParseMediaType(f.Type)
	if err != nil || !strings.Contains(kind, "/") || strings.HasPrefix(kind, "multipart/") || strings.HasPrefix(kind, "message/") {
		kind = "application/octet-stream"
	}
	disposition := mime.FormatMediaType("attachment", map[string]string{"filename": name})
	if disposition == "" {
		disposition = "attachment"
	}
	return textproto.MIMEHeader{"Content-Type": {kind}, "Content-Transfer-Encoding": {"base64"}, "Content-Disposition": {disposition}}
}

// lineBreaker ends a line after 76 octets (RFC 2045 section 6.8).
type lineBreaker struct {
	w   io.Writer
	col int
}

func (l *lineBreaker) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if l.col == softLine {
			if _, err := io.WriteString(l.w, "\r\n"); err != nil {
				return 0, err
			}
			l.col = 0
		}
		k := min(len(p), softLine-l.col)
		if _, err := l.w.Write(p[:k]); err != nil {
			return 0, err
		}
		l.col += k
		p = p[k:]
	}
	return n, nil
}
