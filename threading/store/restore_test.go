package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading/seal"
)

func TestRestoredEqualsWhatWasBackedUp(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	x.file(x.start(sam, tess, "Would you read for Ophelia?"))
	before, err := x.MailboxStatus(x.ctx, tess.ID, x.mailbox(tess, "INBOX").ID)
	if err != nil {
		t.Fatal(err)
	}
	want := dump(t, x.path)
	file := x.backup()
	lost := x.member("late") // what comes later is not in the backup
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}

	r, err := Restore(x.ctx, RestoreOptions{DSN: x.dsn(), File: file, Keyring: fixtureKeyring(t), Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Members != 2 || r.Queue != 1 || r.Schema == 0 || !strings.HasPrefix(r.Kept, x.path+".before-restore-") {
		t.Errorf("restored: %+v", r)
	}
	got := dump(t, x.path)
	for table, rows := range want {
		if !slices.Equal(got[table], rows) {
			t.Errorf("table %s differs after the restore", table)
		}
	}
	if len(got) != len(want) || len(want) < 10 {
		t.Errorf("%d tables of %d", len(got), len(want))
	}

	// Mail clients are told to forget the UIDs that they know.
	x.Store = x.open(false)
	after, err := x.MailboxStatus(x.ctx, tess.ID, x.mailbox(tess, "INBOX").ID)
	if err != nil || after.UIDValidity <= before.UIDValidity || after.Messages != before.Messages {
		t.Errorf("INBOX after: %+v (%v), before: %+v", after, err, before)
	}
	if _, err := x.Member(x.ctx, lost.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a member that is newer than the backup: %v", err)
	}

	// What was replaced is kept whole.
	kept := rawDB(t, r.Kept)
	if list := texts(t, kept, "SELECT handle FROM members ORDER BY handle"); !slices.Equal(list, []string{"late", "sam", "tess"}) {
		t.Errorf("the kept database has %q", list)
	}
}

func TestRestoreRefuses(t *testing.T) {
	x := newFixture(t)
	x.member("tess")
	good := x.backup()
	dir := t.TempDir()
	changed := func(name string, change func([]byte) []byte) string {
		b, err := os.ReadFile(good)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, change(b), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	edited := func(name, statement string) string {
		path := changed(name, func(b []byte) []byte { return b })
		db := rawDB(t, path)
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
		_ = db.Close()
		return path
	}
	foreign, err := seal.New(bytes.Repeat([]byte{8}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(dir, "restored.db")
	for _, c := range []struct {
		name, file string
		keys       *seal.Keyring
		want       error
	}{
		{"no such file", filepath.Join(dir, "none"), nil, os.ErrNotExist},
		{"a folder", dir, nil, ErrNotBackup},
		{"text", changed("text", func([]byte) []byte { return []byte("hello") }), nil, ErrNotBackup},
		{"nothing", changed("nothing", func([]byte) []byte { return nil }), nil, ErrNotBackup},
		{"half", changed("half", func(b []byte) []byte { return b[:len(b)/2] }), nil, ErrNotBackup},
		{"damaged", changed("damaged", func(b []byte) []byte { copy(b[4096:], make([]byte, 8192)); return b }), nil, ErrNotBackup},
		{"another program's", edited("other", "DROP TABLE members"), nil, ErrNotBackup},
		{"without a version", edited("unversioned", "PRAGMA user_version = 0"), nil, ErrNotBackup},
		{"newer", edited("newer", "PRAGMA user_version = 1000"), nil, ErrNewer},
		{"another key's", good, foreign, ErrOtherKey},
	} {
		if c.keys == nil {
			c.keys = fixtureKeyring(t)
		}
		if _, err := Restore(x.ctx, RestoreOptions{DSN: "sqlite:" + target, File: c.file, Keyring: c.keys}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if left, _ := filepath.Glob(target + "*"); !slices.Equal(left, []string{target + ".lock"}) {
			t.Errorf("%s: leaves %q", c.name, left)
		}
	}

	o := RestoreOptions{DSN: x.dsn(), File: good, Keyring: fixtureKeyring(t), Replace: true}
	if _, err := Restore(x.ctx, o); !errors.Is(err, ErrInUse) {
		t.Errorf("while a store is open: %v", err)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	o.Replace = false
	if _, err := Restore(x.ctx, o); !errors.Is(err, ErrExists) {
		t.Errorf("over a database: %v", err)
	}
	o.DSN = "sqlite:" + target
	if _, err := Restore(x.ctx, o); err != nil {
		t.Errorf("where nothing is: %v", err)
	}
}

// Nobody opens the database while another file is put in its place.
func TestOpenWaitsForNoRestore(t *testing.T) {
	x := newFixture(t)
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	lock, err := lockDatabase(x.path, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, x.dsn()); !errors.Is(err, ErrInUse) {
		t.Errorf("during a restore: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, x.dsn()); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// A database that can't be read is replaced too: it is why one restores.
func TestRestoreOverADamagedDatabase(t *testing.T) {
	x := newFixture(t)
	x.member("tess")
	good := x.backup()
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	for suffix, text := range map[string]string{"": "damaged", "-wal": "its WAL"} {
		if err := os.WriteFile(x.path+suffix, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, suffix := range []string{"", "-journal"} { // of a restore that was killed
		if err := os.WriteFile(x.path+partial+suffix, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Restore(x.ctx, RestoreOptions{DSN: x.dsn(), File: good, Keyring: fixtureKeyring(t), Replace: true})
	if err != nil {
		t.Fatal(err)
	}
	for suffix, text := range map[string]string{"": "damaged", "-wal": "its WAL"} {
		if b, _ := os.ReadFile(r.Kept + suffix); string(b) != text {
			t.Errorf("kept%s holds %q, want %q", suffix, b, text)
		}
	}
	if left, _ := filepath.Glob(x.path + partial + "*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if s, err := openAt(t, x.dsn()); err != nil {
		t.Error(err)
	} else if _, err := s.MemberByHandle(x.ctx, "tess"); err != nil {
		t.Error(err)
	}
}
