// Package store keeps the domain of package threading in SQL.
//
// # What is on disk
//
// One SQLite file in WAL mode with synchronous=FULL. When a method that writes
// returns without an error, what it wrote is on disk. Real addresses, foreign
// Message-IDs and held messages are sealed (package seal) and found by keyed
// hash; a body is stored once, compressed, in chunks of at most
// threading.InlineBody octets.
//
// # After a crash
//
// A transaction is there whole or not at all. Chunks of a large body that was
// never filed are swept after a day.
//
// # Who owns what
//
// One goroutine, the committer, owns the one connection that writes: callers
// hand it functions, and those that wait share one commit and so one fsync.
// Reading uses a small pool of connections, each read a transaction of its
// own; no read stays open while a caller's function runs. In a process that
// follows others, a sweeper, a poller and the packer, which makes the blocks of
// the search index, run until Close. As long as a store is open, Restore can't
// put another file in its database's place.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrLimit    = errors.New("limit reached")
	ErrClosed   = errors.New("the store is closed")
)

// Options configure a Store.
type Options struct {
	DSN     string // "sqlite:PATH"
	Keyring *seal.Keyring
	IDs     *threading.IDSource
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: nothing is logged
	// Follow: this process keeps sessions open (the daemon). Changes made by
	// other processes on the same database are polled for and reach its
	// subscribers and its queue's workers within about a second.
	Follow bool
	// LookAlikes lets a new member's handle look like that of another.
	LookAlikes bool
	// Quota is how many octets a member's clients may fill; zero: no bound.
	Quota int64
	// Observe is told, after the commit, of each message that is filed ("filed",
	// or "duplicate"), held ("held") or recorded (the record's kind). Nil: nobody.
	Observe func(event string)
	// All: members have a mailbox of all their conversations (see EnsureAll).
	// A following store without it removes those that are there.
	All bool
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	o      Options
	read   *sql.DB
	reads  sync.Map // query -> *sql.Stmt, prepared once for each connection
	c      *committer
	lock   *os.File // see lockDatabase
	feed   feed
	wake   chan struct{}
	hooks  chan struct{}
	stop   context.CancelFunc
	ground groundCrew
	packer packer

	validity atomic.Uint32 // the last UIDVALIDITY given to a member's own mailbox
}

// readers is how many reads run at once; each connection keeps a page cache.
const readers = 4

// checkpointPages is after how many pages (32 MiB) in the WAL they are written to
// the database: a page that many commits change is then written once.
const checkpointPages = 8000

const sqlitePrefix = "sqlite:"

// Open opens the database, makes it if there is none, and brings its schema up
// to date. A database that a newer version made is refused.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	path, ok := strings.CutPrefix(o.DSN, sqlitePrefix)
	if !ok || path == "" {
		return nil, errors.New("the storage must be written as sqlite:PATH; this version keeps its data in SQLite")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Observe == nil {
		o.Observe = func(string) {}
	}
	s := &Store{o: o, wake: make(chan struct{}, 1), hooks: make(chan struct{}, 1)}
	s.feed.init()
	s.packer.init()
	lock, err := lockDatabase(path, false)
	if err != nil {
		return nil, err
	}
	s.lock = lock
	defer func() {
		if err != nil {
			_ = lock.Close()
		}
	}()
	if err := makeFile(path); err != nil {
		return nil, err
	}
	db, err := openSQLite(path, "10000", "immediate", false)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), db.Close())
	}
	if err := migrate(ctx, conn); err != nil {
		return nil, errors.Join(err, conn.Close(), db.Close())
	}
	if _, err := conn.ExecContext(ctx, "CREATE TEMP TABLE leaving (item_id INTEGER PRIMARY KEY)"); err != nil {
		return nil, errors.Join(fmt.Errorf("open the database: %w", err), conn.Close(), db.Close())
	}
	if s.read, err = openSQLite(path, "2000", "deferred", true); err != nil {
		return nil, errors.Join(err, conn.Close(), db.Close())
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	s.c = &committer{db: db, conn: conn, stmts: map[string]*sql.Stmt{}, jobs: make(chan *job, maxWaiting), done: make(chan struct{}), publish: s.publish, ids: o.IDs, lookAlikes: o.LookAlikes}
	if !o.Follow {
		s.c.announce = true
	}
	go s.c.loop()
	if o.Follow && !o.All {
		if err := s.dropAlls(ctx); err != nil {
			s.c.close()
			return nil, errors.Join(err, s.read.Close(), conn.Close(), db.Close())
		}
	}
	ground, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.ground.start(ground, s)
	return s, nil
}

// makeFile makes the database's file, if there is none, such that only its owner
// may read what members wrote. SQLite gives the WAL the same mode. A file that
// is there is not opened: closing it would end the locks that SQLite holds on it
// in this process (fcntl(2)).
func makeFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return fmt.Errorf("make the database's file: %w", err)
	}
	return nil
}

// openSQLite opens a pool. cache is the page cache of each connection in KiB.
func openSQLite(path, cache, lock string, readOnly bool) (*sql.DB, error) {
	q := url.Values{}
	q.Add("_pragma", "busy_timeout(10000)")
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous(FULL)")
	q.Add("_pragma", "cache_size(-"+cache+")")
	q.Add("_pragma", "temp_store(MEMORY)")
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	} else {
		q.Add("_pragma", fmt.Sprintf("wal_autocheckpoint(%d)", checkpointPages))
	}
	q.Set("_txlock", lock)
	db, err := sql.Open("sqlite", fileURI(path)+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return db, nil
}

// fileURI names a file as SQLite takes it, whatever characters it has.
func fileURI(path string) string { return "file:" + (&url.URL{Path: path}).EscapedPath() }

// Close finishes the commits under way and closes the database.
func (s *Store) Close() error {
	s.stop()
	s.ground.wait()
	s.c.close()
	for _, st := range s.c.stmts {
		_ = st.Close()
	}
	s.reads.Range(func(_, st any) bool {
		_ = st.(*sql.Stmt).Close()
		return true
	})
	err := errors.Join(s.read.Close(), s.c.conn.Close(), s.c.db.Close(), s.lock.Close())
	if err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}

// IDs is the source of the store's IDs.
func (s *Store) IDs() *threading.IDSource { return s.o.IDs }

// Keyring holds the keys that seal what the store keeps.
func (s *Store) Keyring() *seal.Keyring { return s.o.Keyring }

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	return s.row(ctx, "SELECT COUNT(*) FROM members WHERE id = 0", nil, &n)
}

// row reads one row; ErrNotFound if there is none.
func (s *Store) row(ctx context.Context, query string, args []any, dest ...any) error {
	err := s.queryRow(ctx, query, args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// queryRow reads one row. Its Scan returns what went wrong.
func (s *Store) queryRow(ctx context.Context, query string, args ...any) scanner {
	st, err := s.prepared(ctx, query)
	if err != nil {
		return failedRow{err}
	}
	return st.QueryRowContext(ctx, args...)
}

// failedRow is the row of a query that could not be prepared.
type failedRow struct{ err error }

// Scan implements scanner.
func (r failedRow) Scan(...any) error { return r.err }

// prepared returns a read that is prepared: parsing it costs more than running
// it. The queries are those in this package's text, so their number is bounded.
func (s *Store) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := s.reads.Load(query); ok {
		return st.(*sql.Stmt), nil
	}
	st, err := s.read.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, raced := s.reads.LoadOrStore(query, st); raced {
		_ = st.Close()
		return first.(*sql.Stmt), nil
	}
	return st, nil
}

// rows calls scan for each row. scan must not call the store.
func (s *Store) rows(ctx context.Context, query string, args []any, scan func(scanner) error) error {
	st, err := s.prepared(ctx, query)
	if err != nil {
		return err
	}
	r, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return eachRow(r, scan)
}

// millis is how times are stored.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
