package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
)

const entryColumns = "e.uid, e.modseq, e.flags, e.keywords, e.saved_at, e.item_id, e.thread_id, e.body_id, e.header_size, e.body_size, e.placed_at"

func scanEntry(r scanner, more ...any) (threading.Entry, error) {
	var e threading.Entry
	var keywords string
	var saved, placed int64
	err := r.Scan(append([]any{&e.UID, &e.ModSeq, &e.Flags, &keywords, &saved, &e.ItemID, &e.ThreadID, &e.BodyID, &e.HeaderSize, &e.BodySize, &placed}, more...)...)
	if keywords != "" {
		e.Keywords = strings.Fields(keywords)
	}
	e.SavedAt, e.PlacedAt = fromMillis(saved), fromMillis(placed)
	return e, err
}

// slice is how many entries are read at once: a client that is slow to take a
// FETCH holds no transaction open.
const slice = 500

// Entries calls f for each entry in the set, by ascending UID, until f returns
// an error, which it returns.
func (s *Store) Entries(ctx context.Context, memberID, mailboxID threading.ID, set threading.UIDSet, f func(threading.Entry) error) error {
	return inSlices(set, skipEntries, func(first, last uint32) (next uint32, err error) {
		list := make([]threading.Entry, 0, 64)
		err = s.rows(ctx, "SELECT "+entryColumns+" FROM entries e WHERE e.member_id = ? AND e.mailbox_id = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid LIMIT ?",
			[]any{memberID, mailboxID, first, last, slice}, func(r scanner) error {
				e, err := scanEntry(r)
				list = append(list, e)
				return err
			})
		if err != nil {
			return 0, fmt.Errorf("read the mailbox: %w", err)
		}
		for _, e := range list {
			if !set.Contains(e.UID) {
				continue
			}
			if err := f(e); err != nil {
				return 0, err
			}
		}
		if len(list) < slice {
			return 0, nil
		}
		return list[len(list)-1].UID + 1, nil
	})
}

// How many entries between two ranges are read and left out rather than looked
// over by a query of its own: alone, and with their header blocks.
const (
	skipEntries = 16
	skipHeaders = 1
)

// inSlices calls read for ranges that cover the set. read returns where to go
// on within the range, zero if it has read it all. Ranges that are close
// together are read as one, and the caller leaves out what is not in the set.
func inSlices(set threading.UIDSet, skip uint32, read func(first, last uint32) (next uint32, err error)) error {
	for i := 0; i < len(set); {
		first, last := set[i].First, set[i].Last
		for i++; i < len(set) && set[i].First-last-1 <= skip; i++ {
			last = set[i].Last
		}
		for {
			next, err := read(first, last)
			if err != nil {
				return err
			}
			if next == 0 || next > last {
				break
			}
			first = next
		}
	}
	return nil
}

// Want says what Scan reads beside the entry.
type Want struct {
	Header bool
	Text   bool // the body's search text
}

// Scanned is an entry with what was wanted.
type Scanned struct {
	threading.Entry
	Header []byte
	Text   string
}

// Bounds of what Scan reads at once: entries, and octets of their header blocks,
// but for the last one's. It holds two of these.
const (
	scanSlice  = 100
	scanOctets = 1 << 20
)

// Scan is Entries with header blocks and search texts, for SEARCH and FETCH.
func (s *Store) Scan(ctx context.Context, memberID, mailboxID threading.ID, set threading.UIDSet, want Want, f func(Scanned) error) error {
	if !want.Header && !want.Text {
		return s.Entries(ctx, memberID, mailboxID, set, func(e threading.Entry) error { return f(Scanned{Entry: e}) })
	}
	one := func(list []Scanned) error {
		for _, x := range list {
			if !set.Contains(x.UID) {
				continue
			}
			if want.Text {
				var err error
				if x.Text, _, err = s.Text(ctx, x.BodyID, nil); errors.Is(err, ErrNotFound) {
					continue // expunged since
				} else if err != nil {
					return err
				}
			}
			if err := f(x); err != nil {
				return err
			}
		}
		return nil
	}
	read := func(ctx context.Context, deliver func([]Scanned) error) error {
		return inSlices(set, skipHeaders, func(first, last uint32) (next uint32, err error) {
			list, more, err := s.scanRange(ctx, memberID, mailboxID, first, last, want)
			if err != nil {
				return 0, fmt.Errorf("search the mailbox: %w", err)
			}
			if err := deliver(list); err != nil || !more {
				return 0, err
			}
			return list[len(list)-1].UID + 1, nil
		})
	}
	if n := len(set); n == 0 || set[n-1].Last-set[0].First < scanSlice {
		return read(ctx, one)
	}
	return ahead(ctx, read, one)
}

// ahead calls f for what read delivers while the next is read. What is read last
// is not kept longer than f takes; when ahead returns, nothing reads any more.
func ahead(ctx context.Context, read func(context.Context, func([]Scanned) error) error, f func([]Scanned) error) error {
	ctx, stop := context.WithCancel(ctx)
	lists, failed := make(chan []Scanned), make(chan error, 1)
	go func() {
		defer close(lists)
		defer func() {
			if v := recover(); v != nil {
				failed <- fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		failed <- read(ctx, func(list []Scanned) error {
			select {
			case lists <- list:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	defer func() {
		stop()
		for range lists {
		}
	}()
	for list := range lists {
		if err := f(list); err != nil {
			return err
		}
	}
	return <-failed
}

// scanRange reads as many entries as its bounds allow. more: there may be more.
func (s *Store) scanRange(ctx context.Context, member, mailbox threading.ID, first, last uint32, want Want) (list []Scanned, more bool, err error) {
	query := "SELECT " + entryColumns + " FROM entries e"
	if want.Header {
		query = "SELECT " + entryColumns + ", i.header FROM entries e JOIN items i ON i.member_id = e.member_id AND i.id = e.item_id"
	}
	octets := 0
	err = s.rows(ctx, query+" WHERE e.member_id = ? AND e.mailbox_id = ? AND e.uid BETWEEN ? AND ? ORDER BY e.uid LIMIT ?",
		[]any{member, mailbox, first, last, scanSlice}, func(r scanner) (err error) {
			var x Scanned
			if want.Header {
				x.Entry, err = scanEntry(r, &x.Header)
			} else {
				x.Entry, err = scanEntry(r)
			}
			list = append(list, x)
			if octets += len(x.Header); err == nil && octets > scanOctets {
				err = errEnough
			}
			return err
		})
	if errors.Is(err, errEnough) {
		return list, true, nil
	}
	return list, len(list) == scanSlice, err
}

// errEnough ends a scan that has found what it needs.
var errEnough = errors.New("enough")

// Text returns a body's search text. If the body's signature says that one of
// the needles (folded) is not in it, the text is not read. ErrNotFound.
func (s *Store) Text(ctx context.Context, bodyID threading.ID, needles []string) (text string, ruledOut bool, err error) {
	found := false
	err = s.rows(ctx, "SELECT signature, text FROM bodies WHERE id = ?", []any{bodyID}, func(r scanner) error {
		found = true
		var signature, packed sql.RawBytes
		if err := r.Scan(&signature, &packed); err != nil {
			return err
		}
		ruledOut = slices.ContainsFunc(needles, func(needle string) bool { return !threading.Signature(signature).MayContain(needle) })
		if ruledOut {
			return nil
		}
		b, err := decompress(packed)
		text = string(b)
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("read the search text: %w", err)
	}
	if !found {
		return "", false, ErrNotFound
	}
	return text, ruledOut, nil
}

// What snapshots read. What changed is found by its mod-sequence: the plus keeps
// the database from reading the whole mailbox because that is in order already.
const (
	readModSeq   = "SELECT modseq FROM member_state WHERE member_id = ?"
	readUIDs     = "SELECT uid FROM entries WHERE member_id = ? AND mailbox_id = ? ORDER BY uid"
	readChanged  = "SELECT " + entryColumns + " FROM entries e WHERE e.member_id = ? AND e.mailbox_id = ? AND e.modseq > ? ORDER BY +e.uid"
	readKept     = "SELECT expunged_from FROM mailboxes WHERE member_id = ? AND id = ?"
	readExpunged = "SELECT uid FROM tombstones WHERE member_id = ? AND mailbox_id = ? AND modseq > ? ORDER BY +uid"
)

// UIDs returns all UIDs of a mailbox, ascending, and the mod-sequence that they
// are true of.
func (s *Store) UIDs(ctx context.Context, memberID, mailboxID threading.ID) ([]uint32, uint64, error) {
	var uids []uint32
	var modseq uint64
	err := s.snapshot(ctx, []string{readModSeq, readUIDs}, func(r *reader) (err error) {
		if modseq, err = r.modseq(memberID); err != nil {
			return err
		}
		return r.rows(readUIDs, []any{memberID, mailboxID}, func(row scanner) error {
			var uid uint32
			err := row.Scan(&uid)
			uids = append(uids, uid)
			return err
		})
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list the mailbox: %w", err)
	}
	return uids, modseq, nil
}

// Contents are what a mailbox holds, all of one moment.
type Contents struct {
	UIDs        []uint32 // ascending
	ModSeq      uint64   // what they are true of
	FirstUnseen uint32   // the lowest UID without \Seen; 0: there is none
	Keywords    []string // that any message has, or any of the member's has had, sorted
}

const readKeywords = "SELECT keywords FROM member_state WHERE member_id = ?"

const readContents = "SELECT uid, flags & 1, keywords FROM entries WHERE member_id = ? AND mailbox_id = ? ORDER BY uid"

// Contents reads what a mailbox holds, in one pass.
func (s *Store) Contents(ctx context.Context, memberID, mailboxID threading.ID) (Contents, error) {
	var c Contents
	err := s.snapshot(ctx, []string{readModSeq, readKeywords, readContents}, func(r *reader) (err error) {
		c = Contents{}
		if c.ModSeq, err = r.modseq(memberID); err != nil {
			return err
		}
		known := map[string]bool{}
		err = r.rows(readKeywords, []any{memberID}, func(row scanner) error {
			var keywords string
			err := row.Scan(&keywords)
			known[keywords] = true
			return err
		})
		if err != nil {
			return err
		}
		err = r.rows(readContents, []any{memberID, mailboxID}, func(row scanner) error {
			var uid uint32
			var seen bool
			var keywords sql.RawBytes
			err := row.Scan(&uid, &seen, &keywords)
			c.UIDs = append(c.UIDs, uid)
			if !seen && c.FirstUnseen == 0 {
				c.FirstUnseen = uid
			}
			if len(keywords) > 0 && !known[string(keywords)] {
				known[string(keywords)] = true
			}
			return err
		})
		for list := range known {
			c.Keywords = append(c.Keywords, strings.Fields(list)...)
		}
		return err
	})
	if err != nil {
		return c, fmt.Errorf("list the mailbox: %w", err)
	}
	slices.Sort(c.Keywords)
	c.Keywords = slices.CompactFunc(c.Keywords, strings.EqualFold)
	return c, nil
}

// snapshot runs reads that must be of one moment. The queries that f may use
// are prepared before: preparing takes a connection, and when every snapshot
// holds one and waits for another, none goes on.
func (s *Store) snapshot(ctx context.Context, queries []string, f func(*reader) error) error {
	stmts := make(map[string]*sql.Stmt, len(queries))
	for _, q := range queries {
		st, err := s.prepared(ctx, q)
		if err != nil {
			return err
		}
		stmts[q] = st
	}
	tx, err := s.read.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	err = f(&reader{tx, ctx, stmts})
	if isNoRows(err) {
		return ErrNotFound
	}
	return err
}

// reader reads within a snapshot.
type reader struct {
	tx    *sql.Tx
	ctx   context.Context
	stmts map[string]*sql.Stmt
}

// rows calls scan for each row.
func (r *reader) rows(query string, args []any, scan func(scanner) error) error {
	rows, err := r.tx.StmtContext(r.ctx, r.stmts[query]).QueryContext(r.ctx, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

// modseq reads a member's counter; a member without one is not found.
func (r *reader) modseq(member threading.ID) (modseq uint64, err error) {
	found := false
	err = r.rows(readModSeq, []any{member}, func(row scanner) error {
		found = true
		return row.Scan(&modseq)
	})
	if err == nil && !found {
		err = sql.ErrNoRows
	}
	return modseq, err
}

// Changes are what happened in a mailbox after a mod-sequence.
type Changes struct {
	ModSeq   uint64            // what they are true of
	Entries  []threading.Entry // new or with changed flags, by ascending UID
	Expunged []uint32          // ascending
	// Incomplete: the store no longer knows all that was expunged after since.
	// What is gone then shows only by comparison with all UIDs.
	Incomplete bool
}

// Changes returns what happened after since, all of one moment. An entry that
// came and went in between is among Expunged.
func (s *Store) Changes(ctx context.Context, memberID, mailboxID threading.ID, since uint64) (Changes, error) {
	var c Changes
	err := s.snapshot(ctx, []string{readModSeq, readKept, readChanged, readExpunged}, func(r *reader) (err error) {
		c = Changes{}
		if c.ModSeq, err = r.modseq(memberID); err != nil {
			return err
		}
		err = r.rows(readKept, []any{memberID, mailboxID}, func(row scanner) error {
			var from uint64
			err := row.Scan(&from)
			c.Incomplete = since < from
			return err
		})
		if err != nil {
			return err
		}
		args := []any{memberID, mailboxID, since}
		err = r.rows(readChanged, args, func(row scanner) error {
			e, err := scanEntry(row)
			c.Entries = append(c.Entries, e)
			return err
		})
		if err != nil {
			return err
		}
		return r.rows(readExpunged, args, func(row scanner) error {
			var uid uint32
			err := row.Scan(&uid)
			c.Expunged = append(c.Expunged, uid)
			return err
		})
	})
	if err != nil {
		return c, fmt.Errorf("read the mailbox's changes: %w", err)
	}
	return c, nil
}
