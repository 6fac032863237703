package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// Errors that say why a file can't be restored.
var (
	ErrNotBackup = errors.New("this is not a backup of a stagedoor database, or it is damaged")
	ErrNewer     = errors.New("the backup was made by a newer version of this program: run that one")
	ErrOtherKey  = errors.New("the backup belongs to another key file: put the key file of that time back first")
)

// Inspected is what a database file holds.
type Inspected struct {
	Schema  int // version; that of an older program is brought up to date when the database is opened
	Members int // that are not removed
	Queue   int // rows that wait for delivery
}

// RestoreOptions say what Restore puts where.
type RestoreOptions struct {
	DSN     string // where the database belongs
	File    string // the backup; it is only read
	Keyring *seal.Keyring
	// Replace: a database that is there is kept beside the new one, under the
	// name that Restored.Kept tells. Otherwise it is an error.
	Replace bool
	Now     func() time.Time // nil: time.Now
}

// Restored says what Restore did.
type Restored struct {
	Inspected
	Kept string // file of the database that was replaced; empty: there was none
}

// Restore puts a backup in the database's place. The copy is made, checked
// and on disk before anything else changes. After a crash the new database is
// there, or the old one under its own name or the one that it is kept by.
// Rows of the queue that were delivered since the backup are delivered again.
//
// Mailboxes get a new UIDVALIDITY: mail clients have seen UIDs that the backup
// does not know of and that will be given anew, and would show old messages
// for new ones (RFC 9051 section 2.3.1.1).
//
// ErrInUse while any process has the database open, ErrExists if there is one
// and Replace is not set, ErrNotBackup, ErrNewer, ErrOtherKey.
func Restore(ctx context.Context, o RestoreOptions) (Restored, error) {
	path, ok := strings.CutPrefix(o.DSN, sqlitePrefix)
	if !ok || path == "" {
		return Restored{}, errors.New("the storage must be written as sqlite:PATH")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	lock, err := lockDatabase(path, true)
	if err != nil {
		return Restored{}, err
	}
	defer lock.Close()
	old, err := os.Stat(path)
	there := err == nil && old.Size() > 0
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return Restored{}, fmt.Errorf("look at the database: %w", err)
	case there && !o.Replace:
		return Restored{}, fmt.Errorf("%s: %w", path, ErrExists)
	}
	fresh := path + partial
	defer os.Remove(fresh) // it is gone where all went well
	if err := copyFile(ctx, o.File, fresh); err != nil {
		return Restored{}, err
	}
	found, err := inspect(ctx, fresh, o.Keyring)
	if err != nil {
		return Restored{}, fmt.Errorf("%s: %w", o.File, err)
	}
	if err := renewUIDValidity(ctx, fresh, o.Now()); err != nil {
		return Restored{}, fmt.Errorf("give the mailboxes a new UIDVALIDITY: %w", err)
	}
	r := Restored{Inspected: found}
	if there {
		r.Kept = path + ".before-restore-" + o.Now().UTC().Format("20060102T150405Z")
	}
	if err := putInPlace(fresh, path, r.Kept); err != nil {
		return Restored{}, err
	}
	return r, nil
}

// copyFile copies a file to a private one, durably.
func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("open the backup: %w", err)
	}
	defer in.Close()
	if st, err := in.Stat(); err == nil && !st.Mode().IsRegular() {
		return fmt.Errorf("%s: %w", from, ErrNotBackup)
	}
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} { // of a restore that was killed
		if err := os.Remove(to + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what an earlier restore left: %w", err)
		}
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make the new database's file: %w", err)
	}
	_, err = io.Copy(out, readerOf{ctx, in})
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("copy the backup: %w", err)
	}
	return nil
}

// readerOf reads until its context ends.
type readerOf struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r readerOf) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// inspect reads a whole database file that nobody has open, and reports
// whether it is one of ours and undamaged. With a keyring it also makes sure
// that this one sealed it. ErrNotBackup, ErrNewer, ErrOtherKey.
func inspect(ctx context.Context, path string, keys *seal.Keyring) (Inspected, error) {
	var found Inspected
	db, err := immutable(path)
	if err != nil {
		return found, err
	}
	defer db.Close()
	var verdict string
	err = db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict)
	if ctx.Err() != nil {
		return found, ctx.Err()
	}
	if err != nil || verdict != "ok" {
		return found, errors.Join(ErrNotBackup, err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&found.Schema); err != nil {
		return found, fmt.Errorf("read the schema's version: %w", err)
	}
	known, err := fs.ReadDir(migrations, "migrations")
	if err != nil {
		return found, fmt.Errorf("read the migrations: %w", err)
	}
	if found.Schema > len(known) {
		return found, ErrNewer
	}
	err = db.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM members WHERE status != ?), (SELECT COUNT(*) FROM queue)", threading.MemberRemoved).
		Scan(&found.Members, &found.Queue)
	if err != nil || found.Schema == 0 {
		return found, errors.Join(ErrNotBackup, err)
	}
	if keys == nil {
		return found, nil
	}
	return found, opens(ctx, db, keys)
}

// opens reports whether the keyring is the one that sealed a database's real
// addresses. ErrOtherKey.
func opens(ctx context.Context, db *sql.DB, keys *seal.Keyring) error {
	var sealed []byte
	err := db.QueryRowContext(ctx, "SELECT sealed FROM addresses LIMIT 1").Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // nothing is sealed yet
	} else if err != nil {
		return fmt.Errorf("read a sealed address: %w", err)
	}
	if _, err := keys.Open(sealedAddress, sealed); err != nil {
		return ErrOtherKey
	}
	return nil
}

// renewUIDValidity gives every mailbox in a database file a greater one.
func renewUIDValidity(ctx context.Context, path string, now time.Time) error {
	db, err := sql.Open("sqlite", fileURI(path)+"?_pragma=journal_mode(DELETE)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, "UPDATE mailboxes SET uidvalidity = MAX(uidvalidity + 1, ?)", now.Unix()-uidValidityEpoch)
	return errors.Join(err, db.Close())
}

// putInPlace makes the new file the database. The old one, if it is to be
// kept, is whole under its other name before anything is taken from its own. It
// is not opened: it may be damaged, and then no octet of it should change.
func putInPlace(fresh, path, kept string) error {
	beside := []string{"-wal", "-shm", "-journal"}
	if kept != "" {
		if _, err := os.Lstat(kept); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("put the old database aside: %s: %w", kept, errors.Join(ErrExists, err))
		}
		for _, suffix := range append(beside, "") {
			err := os.Link(path+suffix, kept+suffix)
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // the file system has no links
				err = os.Rename(path+suffix, kept+suffix)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("put the old database aside: %w", err)
			}
		}
		if err := syncDir(filepath.Dir(path)); err != nil {
			return err
		}
	}
	// A WAL that was left would be taken for the new database's.
	for _, suffix := range beside {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what belongs to the old database: %w", err)
		}
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("put the new database in place: %w", err)
	}
	return syncDir(filepath.Dir(path))
}
