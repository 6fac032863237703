package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrInUse means that another process has the database open, or is replacing
// it.
var ErrInUse = errors.New("the database is in use")

// lockDatabase takes the lock that stands for the database's file being the
// one at its path: every open store shares it, and Restore, which puts another
// file there, takes it alone. SQLite's own locks can't say this, since they
// belong to the file and go with it when it is renamed.
//
// The lock is flock(2) on a file beside the database, which is never removed;
// the system takes it back when the process ends, however it ends. ErrInUse.
func lockDatabase(path string, alone bool) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the database's lock: %w", err)
	}
	how := syscall.LOCK_SH
	if alone {
		how = syscall.LOCK_EX
	}
	err = tryLock(f, how)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	return f, nil
}

// tryLock takes flock(2) if it is free. ErrInUse.
func tryLock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrInUse
		default:
			return err
		}
	}
}
