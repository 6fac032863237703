package automatic_test

import (
	"bytes"
	"io/fs"
	"mime"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay/automatic"
	"github.com/stagedoor/stagedoor/relay/sanitize"
)

// corpora is a folder of messages of many projects, beside the repository.
const corpora = "../../../shared/corpora"

func recognise(t *testing.T, path, reversePath string) (automatic.Verdict, bool) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil || msg.Header.Get("From") == "" {
		return automatic.Verdict{}, false
	}
	if p := strings.ToLower(msg.Header.Get("Return-Path")); strings.HasPrefix(p, "<>") || strings.HasPrefix(p, "<mailer-daemon") {
		reversePath = "" // as far as the message still says so
	}
	v, err := automatic.Recognise(automatic.Message{
		ReversePath: reversePath,
		Field: func(name string) string {
			var w mime.WordDecoder
			if s, err := w.DecodeHeader(msg.Header.Get(name)); err == nil {
				return s
			}
			return msg.Header.Get(name)
		},
		Text: func() (string, error) { return sanitize.NewText(bytes.NewReader(raw)) },
	})
	if err != nil {
		t.Errorf("%s: %v", path, err)
	}
	return v, true
}

func eachMessage(t *testing.T, dir string, do func(path string)) {
	if _, err := os.Stat(corpora); err != nil {
		t.Skip("no corpora beside this repository")
	}
	err := filepath.WalkDir(filepath.Join(corpora, dir), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(path, ".eml") {
			do(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Delivery reports, complaints and vacation notices of many systems: what came
// back from them is never taken for a person's.
func TestReportsAreNoPersons(t *testing.T) {
	n, missed := 0, 0
	eachMessage(t, "sisimai-set-of-emails/maildir/bsd", func(path string) {
		// Nothing says what the reverse-path was; that of a report is null.
		if v, ok := recognise(t, path, "report@mail.example"); ok {
			n++
			if v.Kind == automatic.Person {
				missed++
				t.Logf("%s", filepath.Base(path))
			}
		}
	})
	t.Logf("%d of %d are recognised without their reverse-path", n-missed, n)
	if n < 500 || missed > n/20 {
		t.Errorf("%d of %d are taken for a person's", missed, n)
	}
}

// Replies that people wrote are theirs.
func TestRepliesAreOfPersons(t *testing.T) {
	n := 0
	for _, dir := range []string{"chatwoot", "gitlab", "talon", "github-email_reply_parser", "alfonsrv-mail-parser-reply", "fiedl-extended_email_reply_parser", "crisp-email-reply-parser"} {
		eachMessage(t, dir, func(path string) {
			if strings.Contains(path, "auto_reply") || strings.Contains(path, "bounce") {
				return
			}
			if v, ok := recognise(t, path, "jane@mail.example"); ok {
				n++
				// One of them says of itself that it is automatic.
				if v.Kind != automatic.Person && v.Why != "Auto-Submitted" {
					t.Errorf("%s is %s because of %s", path, v.Kind, v.Why)
				}
			}
		})
	}
	if n < 50 {
		t.Errorf("only %d replies", n)
	}
}
