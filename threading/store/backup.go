package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// partial is added to a file's name while it is being written.
const partial = ".partial"

// Backup writes the database, as it stands at one moment, to a new file that
// only its owner may read, and returns its size in octets. Other processes go
// on reading and writing meanwhile; what they write after that moment waits in
// the WAL, which grows for as long as this takes.
//
// The file holds what the database holds and nothing that was deleted from it
// (it is written anew, by VACUUM INTO), is checked, and is on disk when Backup
// returns. Until then it has another name, so that a file of that name is a
// whole backup, whatever happens. ErrExists if there is such a file;
// ErrInUse if another process is writing it.
func Backup(ctx context.Context, dsn, file string) (size int64, err error) {
	path, ok := strings.CutPrefix(dsn, sqlitePrefix)
	if !ok || path == "" {
		return 0, errors.New("the storage must be written as sqlite:PATH")
	}
	if _, err := os.Stat(path); err != nil {
		return 0, fmt.Errorf("find the database: %w", err)
	}
	lock, err := lockDatabase(path, false)
	if err != nil {
		return 0, err
	}
	defer lock.Close()
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s: %w", file, errors.Join(ErrExists, err))
	}
	// It stays open until SQLite is done with the file: closing any descriptor
	// of a file ends the locks that SQLite holds on it in this process.
	f, err := os.OpenFile(file+partial, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, fmt.Errorf("make the backup's file: %w", err)
	}
	defer f.Close()
	if err := tryLock(f, syscall.LOCK_EX); err != nil {
		return 0, fmt.Errorf("write %s: %w", file+partial, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(file + partial)
		}
	}()
	if err := f.Chmod(0o600); err != nil {
		return 0, fmt.Errorf("make the backup's file private: %w", err)
	}
	if err := f.Truncate(0); err != nil { // what a backup that was killed left
		return 0, fmt.Errorf("empty the backup's file: %w", err)
	}
	if err := vacuumInto(ctx, path, file+partial); err != nil {
		return 0, err
	}
	if _, err := inspect(ctx, file+partial, nil); err != nil {
		return 0, fmt.Errorf("check the backup: %w", err)
	}
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("write the backup to disk: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at the backup: %w", err)
	}
	if err := nameNew(file+partial, file); err != nil {
		return 0, fmt.Errorf("name the backup: %w", err)
	}
	return st.Size(), nil
}

// vacuumInto copies what a database holds into an empty file.
func vacuumInto(ctx context.Context, path, file string) error {
	db, err := openSQLite(path, "10000", "deferred", false)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", file); err != nil {
		return fmt.Errorf("copy the database: %w", err)
	}
	return nil
}

// nameNew gives a file the name that it was made for, durably. ErrExists if
// there is a file of that name.
func nameNew(from, to string) error {
	// Unlike rename(2), link(2) does not replace what is there.
	err := os.Link(from, to)
	switch {
	case err == nil:
		err = os.Remove(from)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s: %w", to, ErrExists)
	default: // the file system has no links
		err = os.Rename(from, to)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open the directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems have no such thing
		return fmt.Errorf("write the directory to disk: %w", err)
	}
	return nil
}

// immutable opens a file that nobody changes, and leaves nothing beside it.
func immutable(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", fileURI(path)+"?mode=ro&immutable=1&_pragma=temp_store(MEMORY)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	return db, nil
}
