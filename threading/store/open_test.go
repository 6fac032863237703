package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// rawDB opens a file as any program would.
func rawDB(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func openAt(t *testing.T, dsn string) (*Store, error) {
	t.Helper()
	s, err := Open(t.Context(), Options{DSN: dsn, Keyring: fixtureKeyring(t), IDs: threading.NewIDSource()})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

func TestOpenTakesAnyPath(t *testing.T) {
	for _, name := range []string{"plain.db", "with space.db", "100%?#&=.db", "Bühne.db"} {
		path := filepath.Join(t.TempDir(), name)
		s, err := openAt(t, "sqlite:"+path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.Ping(context.Background()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("the file is elsewhere: %v", err)
		}
	}
	t.Chdir(t.TempDir())
	if _, err := openAt(t, "sqlite:here.db"); err != nil {
		t.Errorf("a relative path: %v", err)
	}
	if _, err := os.Stat("here.db"); err != nil {
		t.Error(err)
	}
	for _, dsn := range []string{"", "sqlite:", "postgres://x", filepath.Join(t.TempDir(), "x.db"), "sqlite:" + filepath.Join(t.TempDir(), "no", "such", "folder.db")} {
		if _, err := openAt(t, dsn); err == nil {
			t.Errorf("%q is opened", dsn)
		}
	}
}

func TestOnlyTheOwnerReadsTheFiles(t *testing.T) {
	x := newFixture(t)
	x.member("tess")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		st, err := os.Stat(x.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm()&0o077 != 0 {
			t.Errorf("stagedoor.db%s has mode %v", suffix, st.Mode())
		}
	}
}

// schemaOf lists what a database consists of.
func schemaOf(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.Query("SELECT type || ' ' || name || ': ' || COALESCE(sql, '') FROM sqlite_master")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	err = eachRow(rows, func(r scanner) error {
		var s string
		err := r.Scan(&s)
		list = append(list, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return list
}

// testdata/schema-1.sql is a frozen copy of the first schema: databases made by
// it are out there, whatever the migrations become.
func TestMigrationFromTheFirstSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.db")
	text, err := os.ReadFile("testdata/schema-1.sql")
	if err != nil {
		t.Fatal(err)
	}
	old := rawDB(t, path)
	for _, q := range []string{string(text), "PRAGMA user_version = 1",
		"INSERT INTO members VALUES (7, 'tess', 'Tess', 'active', 'immediate', '08:00', 'UTC', 1000)", "INSERT INTO member_state VALUES (7, 5)",
		"INSERT INTO mailboxes VALUES (7, 8, 'INBOX', 'Inbox', 9, 2, 1, 1)",
		"INSERT INTO entries VALUES (7, 8, 1, 10, 11, 12, 13, 14, 1, '$Work', 4, 2000)"} {
		if _, err := old.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	_ = old.Close()

	x := &fixture{t: t, ctx: t.Context(), clock: &clock{}, path: path}
	x.Store = x.open(false)
	m, err := x.MemberByHandle(x.ctx, "tess")
	if err != nil || m.ID != 7 {
		t.Fatalf("member %+v, %v", m, err)
	}
	list := x.entries(x.mailbox(m, threading.Inbox))
	if len(list) != 1 || show(list[0]) != "1 00001 [$Work]" || list[0].ModSeq != 4 || list[0].Size() != 27 {
		t.Errorf("entries %+v", list)
	}
	fresh := newFixture(t)
	if got, want := schemaOf(t, rawDB(t, path)), schemaOf(t, rawDB(t, fresh.path)); !slices.Equal(got, want) {
		t.Errorf("migrated:\n%s\nfresh:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	files, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "newer.db")
	db := rawDB(t, path)
	if _, err := db.Exec(fmt.Sprintf("PRAGMA user_version = %d", len(files)+1)); err != nil {
		t.Fatal(err)
	}
	if _, err := openAt(t, "sqlite:"+path); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("opened: %v", err)
	}
	if got := schemaOf(t, db); len(got) != 0 {
		t.Errorf("it was written to: %v", got)
	}
}

func TestTwoProcessesMakeTheDatabaseAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new.db")
	errs := make(chan error)
	for range 4 {
		go func() {
			_, err := openAt(t, "sqlite:"+path)
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
