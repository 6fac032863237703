package relay

import (
	"context"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/spool"
)

// A program is refused at every door, in a sentence that names it.
func TestProgramsAreRefused(t *testing.T) {
	s := newStage(t, func(o *Options) { o.Unwanted = sanitize.Unwanted{Extensions: []string{"exe"}} })
	raw := letterFrom("sam.real@agency.example", "tess", "Script", "--b\nContent-Type: text/plain\n\nRead this.\n--b\nContent-Type: application/pdf; name=script.pdf.exe\n\nx\n--b--\n",
		"MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b")
	for door, err := range map[string]error{
		"SMTP":       s.arrive("sam.real@agency.example", true, raw, "tess@"+testDomain),
		"submission": s.submit(s.sam, raw, "tess@"+testDomain),
		"contact": second(s.Contact(context.Background(), ContactForm{Writer: s.sam, To: s.tess, Subject: "Script", Text: "Read this.",
			Files: []ContactFile{{Name: "script.pdf.exe", Type: "application/pdf", Data: spool.FromBytes([]byte("x"))}}})),
	} {
		if r := s.hears(err); r.Code != 554 || !strings.HasPrefix(r.Text, "The attached file “script.pdf.exe” is a program") {
			t.Errorf("%s: %v", door, r)
		}
	}
	if n := len(s.mailbox(s.tess, "INBOX")); n != 0 {
		t.Errorf("%d messages are filed", n)
	}
}
