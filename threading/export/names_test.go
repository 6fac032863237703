package export

import (
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNames(t *testing.T) {
	long := strings.Repeat("ü", 250)
	for _, c := range []struct{ mailbox, maildir, mbox string }{
		{"Sent", ".Sent", "Sent.mbox"},
		{"A/B/C", ".A.B.C", "A.B.C.mbox"},
		{"A.B", ".A&AC4-B", "A%2EB.mbox"},
		{"..", ".&AC4ALg-", "%2E%2E.mbox"},
		{"R&D", ".R&-D", "R&D.mbox"},
		{"100%", ".100%", "100%25.mbox"},
		{"~root", ".&AH4-root", "~root.mbox"},
		{"台北", ".&U,BTFw-", "台北.mbox"},
		{"😀", ".&2D3eAA-", "😀.mbox"},
		{`C:\x`, ".C&ADoAXA-x", "C%3A%5Cx.mbox"},
		{long, "", ""},
	} {
		dir, file := maildirName(c.mailbox), mboxName(c.mailbox)
		if c.mailbox != long && (dir != c.maildir || file != c.mbox) {
			t.Errorf("%s: %s and %s, want %s and %s", c.mailbox, dir, file, c.maildir, c.mbox)
		}
		for _, name := range []string{dir, file} {
			if len(name) > 255 || filepath.Base(name) != name || strings.Contains(name, "..") {
				t.Errorf("%s: %q is not a safe name", c.mailbox, name)
			}
		}
	}
	if mboxName(long+"a") == mboxName(long+"b") || maildirName(long+"a") == maildirName(long+"b") {
		t.Error("two long names become one")
	}
}

// Names never leave the directory, and different mailboxes get different ones.
func FuzzNames(f *testing.F) {
	f.Add("A/B", "A.B")
	f.Add("../../etc/passwd", "%2E%2E")
	f.Add("&AC4-", ".")
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Contains("/"+a+"/", "//") || strings.Contains("/"+b+"/", "//") || strings.ContainsRune(a+b, 0) || !utf8.ValidString(a) || !utf8.ValidString(b) {
			t.Skip() // the store has no such names
		}
		for _, name := range []func(string) string{maildirName, mboxName} {
			n := name(a)
			if len(n) > 255 || strings.ContainsAny(n, "/\x00") || n == "." || n == ".." {
				t.Errorf("%q becomes %q", a, n)
			}
			if a != b && n == name(b) {
				t.Errorf("%q and %q both become %q", a, b, n)
			}
		}
	})
}
