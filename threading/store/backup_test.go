package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

func (x *fixture) dsn() string { return "sqlite:" + x.path }

func (x *fixture) backup() string {
	x.t.Helper()
	file := filepath.Join(x.t.TempDir(), "backup.db")
	size, err := Backup(x.ctx, x.dsn(), file)
	if err != nil {
		x.t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Size() != size || st.Mode().Perm() != 0o600 {
		x.t.Errorf("the backup has %v octets and mode %v (%v); %d were told", st.Size(), st.Mode(), err, size)
	}
	if left, _ := filepath.Glob(file + "?*"); len(left) > 0 {
		x.t.Errorf("left beside the backup: %q", left)
	}
	return file
}

// dump is every row of every table, without what a restore changes.
func dump(t *testing.T, path string) map[string][]string {
	t.Helper()
	db := rawDB(t, path)
	defer db.Close()
	rows := map[string][]string{}
	for _, table := range texts(t, db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
		r, err := db.Query("SELECT * FROM " + table)
		if err != nil {
			t.Fatal(err)
		}
		columns, err := r.Columns()
		if err != nil {
			t.Fatal(err)
		}
		for r.Next() {
			values, dest := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				dest[i] = &values[i]
			}
			if err := r.Scan(dest...); err != nil {
				t.Fatal(err)
			}
			if i := slices.Index(columns, "uidvalidity"); i >= 0 {
				values[i] = "any"
			}
			rows[table] = append(rows[table], fmt.Sprintf("%x", values))
		}
		if err := errors.Join(r.Err(), r.Close()); err != nil {
			t.Fatal(err)
		}
		slices.Sort(rows[table])
	}
	return rows
}

func texts(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	r, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []string
	for r.Next() {
		var text string
		if err := r.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text)
	}
	return list
}

// A backup made while 32 sessions file is of one moment: it has all that was
// filed before it began, and of no message a part.
func TestBackupWhileFiling(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	first := x.file(x.start(sam, tess, "the first"))[0]

	var mu sync.Mutex
	filed := map[threading.ID]bool{}
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 50 {
				list, err := x.File(x.ctx, x.reply(first.ThreadID, sam, tess, strings.Repeat("All the world's a stage. ", 100)))
				if err != nil {
					t.Errorf("file: %v", err)
					return
				}
				mu.Lock()
				filed[list[0].MessageID] = true
				mu.Unlock()
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(filed)
	}
	for count() < 200 && !t.Failed() {
		time.Sleep(time.Millisecond)
	}
	for range 3 {
		mu.Lock()
		must := make([]threading.ID, 0, len(filed))
		for id := range filed {
			must = append(must, id)
		}
		mu.Unlock()
		db := rawDB(t, x.backup())
		for _, id := range must {
			if err := db.QueryRow("SELECT 1 FROM messages WHERE id = ?", id).Scan(new(int)); err != nil {
				t.Errorf("a message that was filed before the backup: %v", err)
			}
		}
		for what, query := range map[string]string{
			"entries that are missing":    "SELECT (SELECT 2 * COUNT(*) FROM messages) - (SELECT COUNT(*) FROM entries e JOIN items i ON i.member_id = e.member_id AND i.id = e.item_id)",
			"queue rows that are missing": "SELECT (SELECT COUNT(*) FROM messages) - (SELECT COUNT(*) FROM queue q JOIN items i ON i.member_id = q.member_id AND i.id = q.item_id)",
			"bodies that are missing":     "SELECT COUNT(*) FROM messages m WHERE NOT EXISTS (SELECT 1 FROM bodies b JOIN body_chunks c ON c.body_id = b.id WHERE b.id = m.body_id)",
		} {
			var n int
			if err := db.QueryRow(query).Scan(&n); err != nil || n != 0 {
				t.Errorf("%s: %d (%v)", what, n, err)
			}
		}
	}
	wg.Wait()
}

func TestBackupRefuses(t *testing.T) {
	x := newFixture(t)
	dir := t.TempDir()
	there := filepath.Join(dir, "there.db")
	if err := os.WriteFile(there, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	busy := filepath.Join(dir, "busy.db")
	other, err := lockDatabase(busy, false) // any flock will do
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := os.Rename(busy+".lock", busy+partial); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, dsn, file string
		want            error
	}{
		{"a file that is there", x.dsn(), there, ErrExists},
		{"a backup under way", x.dsn(), busy, ErrInUse},
		{"no database", "sqlite:" + filepath.Join(dir, "none.db"), filepath.Join(dir, "x"), os.ErrNotExist},
		{"no folder", x.dsn(), filepath.Join(dir, "no", "folder"), os.ErrNotExist},
	} {
		if _, err := Backup(x.ctx, c.dsn, c.file); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if b, _ := os.ReadFile(there); string(b) != "precious" {
		t.Errorf("the file that was there holds %q", b)
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("an empty database was made")
	}
}

// What a backup that was killed left is written over, and one that is cut off
// leaves nothing.
func TestBackupAfterOneThatWasKilled(t *testing.T) {
	x := newFixture(t)
	x.member("tess")
	file := filepath.Join(t.TempDir(), "backup.db")
	ctx, cancel := context.WithCancel(x.ctx)
	cancel()
	if _, err := Backup(ctx, x.dsn(), file); !errors.Is(err, context.Canceled) {
		t.Errorf("a backup that is cut off: %v", err)
	}
	if left, _ := filepath.Glob(file + "*"); len(left) > 0 {
		t.Errorf("a backup that is cut off leaves %q", left)
	}
	if err := os.WriteFile(file+partial, bytes.Repeat([]byte("half "), 100000), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Backup(x.ctx, x.dsn(), file); err != nil {
		t.Fatal(err)
	}
	if found, err := inspect(x.ctx, file, fixtureKeyring(t)); err != nil || found.Members != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v)", st.Mode(), err)
	}
}

func BenchmarkBackup(b *testing.B) {
	x := newFixture(b)
	sam, tess := x.member("sam"), x.member("tess")
	first := x.file(x.start(sam, tess, "the first"))[0]
	for range 50 {
		var list []threading.Filing
		for range 100 {
			list = append(list, x.reply(first.ThreadID, sam, tess, strings.Repeat("All the world's a stage. ", 100)))
		}
		x.file(list...)
	}
	dir := b.TempDir()
	for i := range b.N {
		size, err := Backup(x.ctx, x.dsn(), filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
	}
}
