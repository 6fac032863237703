package automatic_test

import (
	"bytes"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay/automatic"
)

// Reports of sixty mail systems and providers: most get the class that a person
// would give them, and what takes mail is hardly ever taken for what takes none.
func TestClassesOfReports(t *testing.T) {
	list, err := os.ReadFile("testdata/classes.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(corpora, "sisimai-set-of-emails/maildir/bsd")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no corpora beside this repository")
	}
	n, wrong, wronglyHard := 0, 0, 0
	for line := range strings.Lines(string(list)) {
		name, want, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || name == "#" {
			continue
		}
		got := classOfFile(t, filepath.Join(dir, name+".eml"))
		if got == automatic.Unclear {
			got = "unclear"
		}
		n++
		if string(got) != want {
			wrong++
			t.Logf("%s is %s, not %s", name, want, got)
			if got == automatic.Hard {
				wronglyHard++
			}
		}
	}
	t.Logf("%d of %d get the right class; %d are taken for hard", n-wrong, n, wronglyHard)
	if n < 600 || wrong > n/20 || wronglyHard > n/100 {
		t.Errorf("%d of %d get the wrong class, %d of these are taken for hard", wrong, n, wronglyHard)
	}
}

func classOfFile(t *testing.T, path string) automatic.Class {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(raw, []byte("From ")) {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	r, err := automatic.ReadReport(msg.Header.Get, msg.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return r.Class
}
