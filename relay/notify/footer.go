package notify

import (
	"bufio"
	"bytes"
	"fmt"
	"mime"
	"net/mail"
	"net/textproto"
	"strings"

	"github.com/stagedoor/stagedoor/relay"
)

// What a footer begins with; in a text, the brand follows on a line of its own.
// When a reader's reply quotes it, relay/sanitize knows it by these and takes it
// out again, whatever the template says between.
const (
	textDelimiter = "-- \r\n" // RFC 3676 section 4.3
	htmlDelimiter = `<div class="sd-footer">`
	htmlEnd       = "</div>\r\n"
)

// footerView is what a footer's templates see.
type footerView struct {
	Look
	Writer string // who wrote; the name that From shows
	Others bool   // there are more participants: a reply goes to them too
	About  string // "Ophelia in Hamlet"; may be empty
	// Platform: it is a note of the platform's own.
	Platform bool
	// BlockURL is the page that blocks or reports the writer; may be empty.
	BlockURL string
	LeftOut  []LeftOut // attachments that are not in the mail
}

// LeftOut is an attachment that is too large for mail.
type LeftOut struct{ Name, Size string }

// Files are the attachments that were left out, in one line.
func (v footerView) Files() string {
	var list []string
	for i, f := range v.LeftOut {
		if i == maxNamed {
			list = append(list, "…")
			break
		}
		list = append(list, f.Name+" ("+f.Size+")")
	}
	return strings.Join(list, ", ")
}

// footer makes the text of a notification's footer.
type footer struct {
	view      footerView
	templates *Templates
}

// footerOf takes what a footer says from the header block that its reader
// sees, so that both always say the same.
func (r *Renderer) footerOf(header []byte, l Look) footer {
	f := footer{footerView{Look: l}, r.o.Templates}
	h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(header))).ReadMIMEHeader()
	if err != nil && len(h) == 0 {
		return f
	}
	if from, err := mail.ParseAddress(h.Get("From")); err == nil {
		f.view.Writer = strings.TrimSuffix(from.Name, " via "+r.o.Brand)
		f.view.BlockURL = r.blockURL(header)
		f.view.Platform = from.Address == relay.NoteFrom+"@"+r.o.Domain
	}
	f.view.Others = h.Get("Cc") != ""
	var words mime.WordDecoder
	decode := func(name string) string {
		s, err := words.DecodeHeader(h.Get(name))
		if err != nil {
			return ""
		}
		return strings.Join(strings.Fields(s), " ")
	}
	f.view.About = decode("X-Production")
	if role := decode("X-Role"); role != "" && f.view.About != "" {
		f.view.About = l.says.Say("about", "role", role, "production", f.view.About)
	}
	return f
}

// text is the footer of a text/plain part. No line but the delimiter ends in
// a space, so that format=flowed keeps them apart (RFC 3676 section 4), and none
// is empty: what is quoted of it ends there.
func (f footer) text() (string, error) {
	s, err := f.templates.execute("footer.txt", f.view)
	if err != nil {
		return "", fmt.Errorf("write the footer: %w", err)
	}
	return textDelimiter + lines(f.view.Brand+"\n"+s), nil
}

// lines ends lines as mail does, and leaves out empty ones and what they end in.
func lines(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			b.WriteString(line + "\r\n")
		}
	}
	return b.String()
}

// html is the footer of a text/html part.
func (f footer) html() (string, error) {
	s, err := f.templates.execute("footer.html", f.view)
	if err != nil {
		return "", fmt.Errorf("write the footer: %w", err)
	}
	return "\r\n" + htmlDelimiter + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")), "\n", "\r\n") + htmlEnd, nil
}

// plain are letters that have a usual spelling in ASCII.
var plain = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "Ä", "Ae", "Ö", "Oe", "Ü", "Ue", "ß", "ss", "“", `"`, "”", `"`, "„", `"`, "’", "'", "–", "-", "…", "...", " ", " ")

// narrowText is a text for a charset that is only known to hold ASCII.
func narrowText(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 {
			return '?'
		}
		return r
	}, plain.Replace(s))
}

// narrowHTML is HTML for such a charset.
func narrowHTML(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return b.String()
}
