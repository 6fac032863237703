package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// maxBatch bounds how many jobs share one commit, maxWaiting how many wait
// for one; more callers block.
const (
	maxBatch   = 256
	maxWaiting = 1024
	busyTries  = 5
)

// committer owns the one connection that writes. Jobs that wait while a commit
// is under way share the next one, and so one fsync; a job that comes alone is
// committed at once.
type committer struct {
	db         *sql.DB
	conn       *sql.Conn
	stmts      map[string]*sql.Stmt
	jobs       chan *job
	done       chan struct{}
	publish    func(*tx)
	announce   bool // write feed rows for other processes
	ids        *threading.IDSource
	lookAlikes bool         // handles may look like others
	executed   atomic.Int64 // statements, for tests of what things cost

	mu     sync.RWMutex // guards closed against senders
	closed bool
}

// job is a function to be run in a transaction.
type job struct {
	ctx  context.Context
	run  func(*tx) error
	err  error
	tx   *tx
	done chan struct{}
}

// tx is the writing side of a job. It is valid while the job runs.
type tx struct {
	c       *committer
	modseqs map[threading.ID]uint64       // members touched, with their new mod-sequence
	queued  bool                          // rows were added to the queue
	emitted bool                          // so were events for webhooks
	added   map[mailboxKey]int            // entries added
	alls    map[threading.ID]threading.ID // the mailboxes All of members touched
	known   map[threading.ID]string       // the keywords of members touched, where there are any
	grown   map[threading.ID]int64        // octets added to members' entries and not written yet
}

// commit runs f in a transaction, shared with others, and returns when it is
// on disk. f may run more than once and must not keep what it was given. A
// caller whose context ends before its job starts drops the job.
func (c *committer) commit(ctx context.Context, f func(*tx) error) error {
	j := &job{ctx: ctx, run: f, done: make(chan struct{})}
	c.mu.RLock()
	if c.closed {
		c.mu.RUnlock()
		return ErrClosed
	}
	select {
	case c.jobs <- j:
		c.mu.RUnlock()
	case <-ctx.Done():
		c.mu.RUnlock()
		return ctx.Err()
	}
	<-j.done
	return j.err
}

// loop is the committer's goroutine. It ends when jobs is closed, after the
// last of them.
func (c *committer) loop() {
	defer close(c.done)
	for first := range c.jobs {
		batch := []*job{first}
	fill:
		for len(batch) < maxBatch {
			select {
			case j, ok := <-c.jobs:
				if !ok {
					break fill
				}
				batch = append(batch, j)
			default:
				break fill
			}
		}
		c.commitBatch(batch)
	}
}

// commitBatch runs the jobs in one transaction. If one fails, or the commit
// does, each is run again in a transaction of its own, so that it harms
// nobody else.
func (c *committer) commitBatch(batch []*job) {
	if len(batch) > 1 && c.attempt(batch) == nil {
		c.finish(batch)
		return
	}
	for _, j := range batch {
		for try := 1; ; try++ {
			j.err = c.attempt([]*job{j})
			if j.err == nil || !isBusy(j.err) || try == busyTries {
				break
			}
			time.Sleep(time.Duration(try*20) * time.Millisecond)
		}
		c.finish([]*job{j})
	}
}

func (c *committer) finish(batch []*job) {
	for _, j := range batch {
		if j.err == nil && j.tx != nil {
			c.publish(j.tx)
		}
		close(j.done)
	}
}

// attempt runs the jobs in one transaction and commits it. On an error nothing
// of them is left.
func (c *committer) attempt(batch []*job) (err error) {
	all := &tx{c: c}
	if _, err := all.exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			_, _ = all.exec("ROLLBACK")
		}
	}()
	for _, j := range batch {
		j.tx = nil
		if err := j.ctx.Err(); err != nil {
			if len(batch) == 1 {
				return err
			}
			j.err = err
			continue
		}
		t := &tx{c: c}
		if err := j.run(t); err != nil {
			return err
		}
		if err := t.settle(); err != nil {
			return err
		}
		if c.announce {
			if err := t.announce(); err != nil {
				return err
			}
		}
		j.tx = t
	}
	if _, err := all.exec("COMMIT"); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// close lets the waiting jobs finish.
func (c *committer) close() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.jobs)
	}
	c.mu.Unlock()
	<-c.done
}

// stmt prepares a statement once.
func (t *tx) stmt(query string) (*sql.Stmt, error) {
	t.c.executed.Add(1)
	if s := t.c.stmts[query]; s != nil {
		return s, nil
	}
	s, err := t.c.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	t.c.stmts[query] = s
	return s, nil
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	s, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	r, err := s.Exec(args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row reads one row; ErrNotFound if there is none.
func (t *tx) row(query string, args []any, dest ...any) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	err = s.QueryRow(args...).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// rows calls scan for each row.
func (t *tx) rows(query string, args []any, scan func(scanner) error) error {
	s, err := t.stmt(query)
	if err != nil {
		return err
	}
	r, err := s.Query(args...)
	if err != nil {
		return err
	}
	return eachRow(r, scan)
}

// scanner is a row.
type scanner interface{ Scan(dest ...any) error }

func eachRow(r *sql.Rows, scan func(scanner) error) error {
	defer r.Close()
	for r.Next() {
		if err := scan(r); err != nil {
			return err
		}
	}
	return r.Err()
}

// modseq returns the mod-sequence of this job for a member: one more than the
// member's last, the same each time it is asked.
func (t *tx) modseq(member threading.ID) (uint64, error) {
	if m, ok := t.modseqs[member]; ok {
		return m, nil
	}
	var m uint64
	var all threading.ID
	var keywords string
	if err := t.row("UPDATE member_state SET modseq = modseq + 1, octets = octets + ? WHERE member_id = ? RETURNING modseq, all_id, keywords", []any{t.grown[member], member}, &m, &all, &keywords); err != nil {
		return 0, err
	}
	if keywords != "" {
		t.setKnown(member, keywords)
	}
	if all != 0 {
		if t.alls == nil {
			t.alls = map[threading.ID]threading.ID{}
		}
		t.alls[member] = all
	}
	delete(t.grown, member)
	if t.modseqs == nil {
		t.modseqs = map[threading.ID]uint64{}
	}
	t.modseqs[member] = m
	return m, nil
}

func isBusy(err error) bool {
	return err != nil && strings.Contains(err.Error(), "SQLITE_BUSY")
}

func isUnique(err error) bool {
	return err != nil && strings.Contains(err.Error(), "UNIQUE constraint failed")
}
