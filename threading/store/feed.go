package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// pollEvery is how often a following process looks for others' commits. The
// look is one PRAGMA on one connection.
const pollEvery = time.Second

// feed tells sessions that their member's mailboxes changed.
type feed struct {
	mu      sync.Mutex
	members map[threading.ID]*channel
}

// channel is what the subscriptions of one member share.
type channel struct {
	modseq atomic.Uint64
	subs   map[*Subscription]struct{}
}

func (f *feed) init() { f.members = map[threading.ID]*channel{} }

// Subscription tells that a member's mailboxes changed. C has room for one
// notice: changes coalesce.
type Subscription struct {
	C       <-chan struct{}
	c       chan struct{}
	feed    *feed
	member  threading.ID
	channel *channel
}

// Subscribe starts a subscription; it must be closed. It costs a map entry and
// no goroutine.
func (s *Store) Subscribe(memberID threading.ID) *Subscription {
	c := make(chan struct{}, 1)
	s.feed.mu.Lock()
	ch := s.feed.members[memberID]
	if ch == nil {
		ch = &channel{subs: map[*Subscription]struct{}{}}
		s.feed.members[memberID] = ch
	}
	sub := &Subscription{C: c, c: c, feed: &s.feed, member: memberID, channel: ch}
	ch.subs[sub] = struct{}{}
	s.feed.mu.Unlock()
	// The counter as of now; a commit in between has raised it already.
	var m uint64
	if s.row(context.Background(), "SELECT modseq FROM member_state WHERE member_id = ?", []any{memberID}, &m) == nil {
		ch.raise(m)
	}
	return sub
}

// ModSeq is the member's mod-sequence as far as this process knows; a session
// compares it to learn whether it needs to ask for changes at all.
func (sub *Subscription) ModSeq() uint64 { return sub.channel.modseq.Load() }

// Close ends the subscription.
func (sub *Subscription) Close() {
	sub.feed.mu.Lock()
	defer sub.feed.mu.Unlock()
	delete(sub.channel.subs, sub)
	if len(sub.channel.subs) == 0 && sub.feed.members[sub.member] == sub.channel {
		delete(sub.feed.members, sub.member)
	}
}

func (ch *channel) raise(modseq uint64) {
	for {
		old := ch.modseq.Load()
		if modseq <= old || ch.modseq.CompareAndSwap(old, modseq) {
			return
		}
	}
}

// notify wakes a member's subscriptions.
func (f *feed) notify(member threading.ID, modseq uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	ch := f.members[member]
	if ch == nil {
		return
	}
	ch.raise(modseq)
	for sub := range ch.subs {
		select {
		case sub.c <- struct{}{}:
		default:
		}
	}
}

// publish is called after the commit of a job.
func (s *Store) publish(t *tx) {
	for member, modseq := range t.modseqs {
		s.feed.notify(member, modseq)
	}
	if t.queued {
		s.wakeQueue()
	}
	if t.emitted {
		s.wakeWebhooks()
	}
	if s.o.Follow {
		for mailbox, n := range t.added {
			s.packer.note(mailbox, n)
		}
	}
}

func (s *Store) wakeQueue() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Store) wakeWebhooks() {
	select {
	case s.hooks <- struct{}{}:
	default:
	}
}

// announce writes what a job touched for processes that follow.
func (t *tx) announce() error {
	for member := range t.modseqs {
		if _, err := t.exec("INSERT INTO feed (member_id) VALUES (?)", member); err != nil {
			return err
		}
	}
	if t.queued || t.emitted {
		if _, err := t.exec("INSERT INTO feed (member_id) VALUES (0)"); err != nil {
			return err
		}
	}
	return nil
}

// follow polls for what other processes committed, until ctx ends.
func (s *Store) follow(ctx context.Context) {
	conn, err := s.read.Conn(ctx)
	if err != nil {
		if ctx.Err() == nil { // else the store was closed before this began
			s.o.Logger.Error("can't follow other processes", "error", err)
		}
		return
	}
	defer conn.Close()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var seen int64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// PRAGMA data_version changes when another connection committed.
		var version int64
		if err := conn.QueryRowContext(ctx, "PRAGMA data_version").Scan(&version); err != nil || version == seen {
			continue
		}
		if err := s.readFeed(ctx, conn); err == nil {
			seen = version // else it is tried again
		} else if ctx.Err() == nil {
			s.o.Logger.Warn("can't read what other processes changed", "error", err)
		}
	}
}

// readFeed tells subscribers of the rows in the feed, and removes them.
func (s *Store) readFeed(ctx context.Context, conn *sql.Conn) error {
	rows, err := conn.QueryContext(ctx, "SELECT f.seq, f.member_id, COALESCE(m.modseq, 0) FROM feed f LEFT JOIN member_state m ON m.member_id = f.member_id ORDER BY f.seq LIMIT 10000")
	if err != nil {
		return err
	}
	var last int64
	err = eachRow(rows, func(r scanner) error {
		var member threading.ID
		var modseq uint64
		if err := r.Scan(&last, &member, &modseq); err != nil {
			return err
		}
		if member == 0 {
			s.wakeQueue()
			s.wakeWebhooks()
		} else {
			s.feed.notify(member, modseq)
		}
		return nil
	})
	if err != nil || last == 0 {
		return err
	}
	err = s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM feed WHERE seq <= ?", last)
		return err
	})
	if err != nil {
		return fmt.Errorf("trim the feed: %w", err)
	}
	return nil
}
