package web

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/spool"
)

// maxField bounds what a posted contact form may have beside its files, in
// octets; maxParts how many parts it has.
const (
	maxField = relay.MaxContactText + 1024
	maxParts = 4 * relay.MaxContactFiles
)

// contactPost is a contact form as it was posted.
type contactPost struct {
	relay.ContactForm
	about, ticket string
	sawFiles      bool
	wrong         problem
}

func (f *contactPost) close() {
	for _, file := range f.Files {
		_ = file.Data.Close()
	}
}

// readContact reads the form's parts one after another: files go to disk as
// they come. known is asked once, before the first file or at the end, with the
// form's ticket; if it says no, files are passed over. The ticket stands first
// in our form.
func (s *Server) readContact(r *http.Request, known func(ticket string) bool) *contactPost {
	f := &contactPost{}
	asked, yes := false, false
	ask := func() bool {
		if !asked {
			asked, yes = true, known(f.ticket)
		}
		return yes
	}
	defer ask()
	parts, err := r.MultipartReader()
	if err != nil {
		f.wrong = notWhole
		return f
	}
	fields := map[string]*string{"form": &f.ticket, "subject": &f.Subject, "text": &f.Text, "about": &f.about, "once": &f.Once}
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return f
		} else if err != nil || n > maxParts {
			f.wrong = tooMuch(err)
			return f
		}
		if field := fields[part.FormName()]; field != nil {
			b, err := io.ReadAll(io.LimitReader(part, maxField))
			if err != nil {
				f.wrong = tooMuch(err)
				return f
			}
			*field = strings.ToValidUTF8(string(b), "\uFFFD")
			continue
		}
		if part.FormName() != "files" || part.FileName() == "" {
			continue
		}
		f.sawFiles = true
		if !ask() {
			continue
		}
		if len(f.Files) == relay.MaxContactFiles {
			f.wrong = problem{Field: "files", Text: "There are too many files: at most " + strconv.Itoa(relay.MaxContactFiles) + " are allowed."}
			return f
		}
		data, err := s.readFile(part)
		if err != nil {
			f.wrong = tooMuch(err)
			return f
		}
		f.Files = append(f.Files, relay.ContactFile{Name: part.FileName(), Type: part.Header.Get("Content-Type"), Data: data})
	}
}

func (s *Server) readFile(part *multipart.Part) (*spool.Message, error) {
	return spool.Read(part, s.o.TempDir, s.maxMessage())
}

var notWhole = problem{Text: "The form did not arrive as a whole. Please send it again."}

// tooMuch says what is wrong with a form that could not be read.
func tooMuch(err error) problem {
	var large *http.MaxBytesError
	if errors.As(err, &large) || errors.Is(err, spool.ErrTooLarge) {
		return problem{Field: "files", Text: "The files are too large together. Please send fewer, or smaller ones."}
	}
	return notWhole
}
