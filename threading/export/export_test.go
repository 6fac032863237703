package export

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// testAccount is a member on a store of its own.
type testAccount struct {
	*store.Store
	t      *testing.T
	member threading.Member
}

const secret = "tess.private@mail.example"

func newAccount(t *testing.T) *testAccount {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s, err := store.Open(t.Context(), store.Options{
		DSN: "sqlite:" + filepath.Join(t.TempDir(), "x.db"), Keyring: keys, IDs: threading.NewIDSource(), Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	m, err := s.AddMember(t.Context(), threading.Member{Handle: "tess", Name: "Tess"}, []string{secret})
	if err != nil {
		t.Fatal(err)
	}
	return &testAccount{s, t, m}
}

// put appends a message to a mailbox, which is made if there is none.
func (a *testAccount) put(mailbox, header, body string, flags threading.Flags, keywords ...string) {
	a.t.Helper()
	ctx := a.t.Context()
	mb, err := a.Mailbox(ctx, a.member.ID, mailbox)
	if errors.Is(err, store.ErrNotFound) {
		mb, err = a.CreateMailbox(ctx, a.member.ID, mailbox, threading.UseNone)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	w := a.NewBody(ctx)
	if _, err := w.Write([]byte(body)); err != nil {
		a.t.Fatal(err)
	}
	b, err := w.Finish()
	if err != nil {
		a.t.Fatal(err)
	}
	_, _, err = a.Append(ctx, a.member.ID, mb.ID, store.NewItem{
		Header: []byte(header + "\r\n"), Body: b, Flags: flags, Keywords: keywords, SavedAt: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
	})
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *testAccount) write(format Format) (dir string, w Written) {
	a.t.Helper()
	dir = filepath.Join(a.t.TempDir(), "out")
	w, err := Write(a.t.Context(), a.Store, a.member.ID, format, dir)
	if err != nil {
		a.t.Fatal(err)
	}
	return dir, w
}

// tree is every file below dir, with UIDVALIDITY made 1; folders end in /.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		if d.IsDir() {
			files[name+"/"] = ""
			return nil
		}
		b, err := os.ReadFile(path)
		before, rest, found := strings.Cut(name, ".V")
		if _, uid, ok := strings.Cut(rest, "U"); found && ok {
			name = before + ".V1U" + uid
		}
		files[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestMbox(t *testing.T) {
	a := newAccount(t)
	a.put("INBOX", "Subject: One\r\nStatus: mine\r\nX-KEYWORDS: a\r\n b\r\nFrom: Sam <t-x@msg.example>\r\n",
		"Hello\r\nFrom here on\r\n>From quoted\r\n>>From twice\r\nFromage\r\n\r\nlast line without an end", threading.FlagSeen|threading.FlagAnswered, "$Forwarded", "Work")
	a.put("INBOX", "Subject: Two\r\n", "bare \r CR\r\n", 0)
	a.put("Work/2026.Q1", "Subject: Draft\r\n", "", threading.FlagDraft|threading.FlagFlagged|threading.FlagDeleted)
	a.put("work/2026.Q1", "Subject: Other case\r\n", "x\r\n", 0)

	dir, w := a.write(Mbox)
	if w.Messages != 4 || w.Mailboxes != 10 {
		t.Errorf("%+v", w)
	}
	const top = "From MAILER-DAEMON Tue Feb  3 04:05:06 2026\n"
	files := tree(t, dir)
	for name, want := range map[string]string{
		"INBOX.mbox": top + "Subject: One\nFrom: Sam <t-x@msg.example>\nStatus: RO\nX-Status: A\nX-Keywords: $Forwarded Work\n\n" +
			"Hello\n>From here on\n>>From quoted\n>>>From twice\nFromage\n\nlast line without an end\n\n" +
			top + "Subject: Two\nStatus: O\n\nbare \r CR\n\n",
		"Work.2026%2EQ1.mbox": top + "Subject: Draft\nStatus: O\nX-Status: DFT\n\n\n",
		"work.2026%2EQ1.mbox": top + "Subject: Other case\nStatus: O\n\nx\n\n",
		"Sent.mbox":           "",
		"Work.mbox":           "",
	} {
		if got, ok := files[name]; !ok || got != want {
			t.Errorf("%s: %q\nwant %q", name, got, want)
		}
	}
	if len(files) != 10 {
		t.Errorf("files: %q", slices.Sorted(maps.Keys(files)))
	}
}

func TestMaildir(t *testing.T) {
	a := newAccount(t)
	a.put("INBOX", "Subject: One\r\nStatus: mine\r\n", "Hello\r\nFrom here on\r\n", threading.FlagSeen|threading.FlagAnswered, "$forwarded", "Work")
	a.put("INBOX", "Subject: Two\r\n", "x", 0, "Play", "work")
	a.put("Bühne/a.b&c", "Subject: Draft\r\n", "", threading.FlagDraft|threading.FlagFlagged|threading.FlagDeleted)

	dir, w := a.write(Maildir)
	if w.Messages != 3 || w.Mailboxes != 8 {
		t.Errorf("%+v", w)
	}
	files := tree(t, dir)
	for name, want := range map[string]string{
		"cur/1770091506.V1U1.stagedoor,S=46,W=51:2,PRSa": "Subject: One\nStatus: mine\n\nHello\nFrom here on\n",
		"cur/1770091506.V1U2.stagedoor,S=15,W=17:2,ab":   "Subject: Two\n\nx",
		"dovecot-keywords": "0 Work\n1 Play\n",
		".B&APw-hne.a&AC4-b&-c/cur/1770091506.V1U1.stagedoor,S=16,W=18:2,DFT": "Subject: Draft\n\n",
		".B&APw-hne.a&AC4-b&-c/maildirfolder":                                 "",
		".Archives/cur/":                                                      "",
		".Sent/new/":                                                          "",
		"tmp/":                                                                "",
	} {
		if got, ok := files[name]; !ok || got != want {
			t.Errorf("%s: %q (%v)\nwant %q", name, got, ok, want)
		}
	}
	if t.Failed() {
		t.Logf("files: %q", slices.Sorted(maps.Keys(files)))
	}
	list, err := filepath.Glob(filepath.Join(dir, "cur", "*"))
	if err != nil || len(list) != 2 {
		t.Fatal(list, err)
	}
	if st, err := os.Stat(list[0]); err != nil || !st.ModTime().Equal(time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)) {
		t.Errorf("the file is of %v (%v)", st.ModTime(), err)
	}
}

// A large body passes in pieces and comes out whole.
func TestLargeBody(t *testing.T) {
	a := newAccount(t)
	line := strings.Repeat("0123456789", 7) + "\r\n"
	body := strings.Repeat(line, 3*threading.InlineBody/len(line))
	a.put("INBOX", "Subject: Large\r\n", body, 0)
	dir, _ := a.write(Mbox)
	b, err := os.ReadFile(filepath.Join(dir, "INBOX.mbox"))
	if err != nil {
		t.Fatal(err)
	}
	if _, got, _ := strings.Cut(string(b), "\n\n"); got != strings.ReplaceAll(body, "\r\n", "\n")+"\n" {
		t.Errorf("%d octets came out of %d", len(got), len(body))
	}
}

func TestWriteRefuses(t *testing.T) {
	a := newAccount(t)
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "precious"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		format Format
		dir    string
		want   error
	}{
		{Mbox, full, ErrNotEmpty},
		{Maildir, full, ErrNotEmpty},
		{Mbox, filepath.Join(full, "no", "folder"), fs.ErrNotExist},
	} {
		if _, err := Write(t.Context(), a.Store, a.member.ID, c.format, c.dir); !errors.Is(err, c.want) {
			t.Errorf("%s to %s: %v, want %v", c.format, c.dir, err, c.want)
		}
	}
	if _, err := Write(t.Context(), a.Store, a.member.ID, "pst", filepath.Join(full, "new")); err == nil {
		t.Error("an unknown format is written")
	}
	if _, err := Write(t.Context(), a.Store, a.member.ID, Maildir, t.TempDir()); err != nil {
		t.Errorf("to an empty folder: %v", err)
	}
}

// More keywords than Maildir has letters: the rest is left out, nothing else.
func TestManyKeywords(t *testing.T) {
	a := newAccount(t)
	var words []string
	for c := 'A'; c <= 'Z'; c++ {
		words = append(words, "w1"+string(c), "w2"+string(c))
	}
	a.put("INBOX", "Subject: One\r\n", "x", threading.FlagSeen, words...)
	dir, _ := a.write(Maildir)
	list, err := filepath.Glob(filepath.Join(dir, "cur", "*:2,Sabcdefghijklmnopqrstuvwxyz"))
	if err != nil || len(list) != 1 {
		t.Errorf("%q, %v", list, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "dovecot-keywords"))
	if err != nil || strings.Count(string(b), "\n") != maxLetters || !strings.HasSuffix(string(b), "25 w1Z\n") {
		t.Errorf("dovecot-keywords: %q, %v", b, err)
	}
}
