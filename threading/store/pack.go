package store

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// maxPacking bounds how many mailboxes wait for blocks, and how many are
// counted. One that is forgotten is seen again when it is searched.
const (
	maxPacking = 1000
	maxCounted = 100_000
)

type mailboxKey struct{ member, mailbox threading.ID }

// packer knows which mailboxes need blocks. One goroutine makes them.
type packer struct {
	mu      sync.Mutex
	added   map[mailboxKey]int // messages since a block was last asked for
	waiting map[mailboxKey]bool
	queue   chan mailboxKey
}

func (p *packer) init() {
	p.added, p.waiting, p.queue = map[mailboxKey]int{}, map[mailboxKey]bool{}, make(chan mailboxKey, maxPacking)
}

// note counts messages that were added to a mailbox.
func (p *packer) note(k mailboxKey, n int) {
	p.mu.Lock()
	if len(p.added) >= maxCounted {
		clear(p.added)
	}
	p.added[k] += n
	enough := p.added[k] >= packAt
	if enough {
		delete(p.added, k)
	}
	p.mu.Unlock()
	if enough {
		p.want(k)
	}
}

// want has blocks made for a mailbox, soon.
func (p *packer) want(k mailboxKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting[k] {
		return
	}
	select {
	case p.queue <- k:
		p.waiting[k] = true
	default:
	}
}

// packUntil makes blocks until ctx ends. It rests as long as it works: filing
// and reading go first.
func (s *Store) packUntil(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case k := <-s.packer.queue:
			s.packer.mu.Lock()
			delete(s.packer.waiting, k)
			s.packer.mu.Unlock()
			if err := s.pack(ctx, k, func(worked time.Duration) { rest(ctx, worked) }); err != nil && ctx.Err() == nil {
				s.o.Logger.Warn("can't index a mailbox: searching it takes longer", "error", err)
			}
		}
	}
}

func rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Pack makes the blocks that a mailbox's index lacks. The daemon does it by
// itself; a search finds everything without it.
func (s *Store) Pack(ctx context.Context, memberID, mailboxID threading.ID) error {
	return s.pack(ctx, mailboxKey{memberID, mailboxID}, func(time.Duration) {})
}

func (s *Store) pack(ctx context.Context, k mailboxKey, pause func(time.Duration)) error {
	if err := s.thinOut(ctx, k); err != nil {
		return err
	}
	for {
		began := time.Now()
		more, err := s.packNext(ctx, k)
		if err != nil || !more {
			return err
		}
		pause(time.Since(began))
	}
}

// packNext makes the next block, if there are enough messages for it.
func (s *Store) packNext(ctx context.Context, k mailboxKey) (more bool, err error) {
	var after uint32
	if err := s.row(ctx, lastBlock, []any{k.member, k.mailbox}, &after); err != nil {
		return false, fmt.Errorf("look for the last block: %w", err)
	}
	b, err := s.build(ctx, k, after+1, everyUID[0].Last)
	if err != nil || b.messages < blockMessages {
		return false, err
	}
	return true, s.c.commit(ctx, func(t *tx) error {
		var now uint32
		if err := t.row(lastBlock, []any{k.member, k.mailbox}, &now); err != nil || now != after {
			return err // another process made it
		}
		return t.addBlock(k, b)
	})
}

const lastBlock = "SELECT COALESCE(MAX(last_uid), 0) FROM index_blocks WHERE member_id = ? AND mailbox_id = ?"

// thinOut drops blocks of which nothing is left, and makes one of two
// neighbours that fit into one if one of them is mostly empty.
func (s *Store) thinOut(ctx context.Context, k mailboxKey) error {
	var list []block
	var live []int
	err := s.rows(ctx, readBlocks, []any{k.member, k.mailbox}, func(r scanner) error {
		b, err := scanBlock(r)
		list = append(list, b)
		return err
	})
	for _, b := range list {
		var n int
		if err == nil {
			err = s.row(ctx, "SELECT COUNT(*) FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid BETWEEN ? AND ?", []any{k.member, k.mailbox, b.first, b.last}, &n)
		}
		live = append(live, n)
	}
	for i := 0; err == nil && i < len(list); i++ {
		old := []uint32{list[i].first}
		switch {
		case live[i] == 0:
		case i+1 < len(list) && live[i]+live[i+1] <= blockMessages && min(live[i], live[i+1]) < blockMessages/2:
			old = append(old, list[i+1].first)
		default:
			continue
		}
		err = s.replaceBlocks(ctx, k, old, list[i].first, list[i+len(old)-1].last)
		i += len(old) - 1
	}
	if err != nil {
		return fmt.Errorf("thin out the index: %w", err)
	}
	return nil
}

// replaceBlocks makes one block of the old ones, or none if nothing is there.
func (s *Store) replaceBlocks(ctx context.Context, k mailboxKey, old []uint32, first, last uint32) error {
	b, err := s.build(ctx, k, first, last)
	if err != nil {
		return err
	}
	return s.c.commit(ctx, func(t *tx) error {
		for _, uid := range old {
			for _, table := range []string{"index_blocks", "index_slices"} {
				if _, err := t.exec("DELETE FROM "+table+" WHERE member_id = ? AND mailbox_id = ? AND first_uid = ?", k.member, k.mailbox, uid); err != nil {
					return err
				}
			}
		}
		if b.messages == 0 {
			return nil
		}
		return t.addBlock(k, b)
	})
}

// newBlock is a block that is being made.
type newBlock struct {
	keys    []Keys
	filters []uint64 // maxSliceBits bits for each message
}

const filterWords = maxSliceBits / 64

// packedBlock is a block as it is stored: the committer has only to write it.
type packedBlock struct {
	block
	rows [][]byte // nil: zeros, not kept
}

// build makes a block of up to blockMessages messages.
func (s *Store) build(ctx context.Context, k mailboxKey, first, last uint32) (*packedBlock, error) {
	b := &newBlock{}
	err := s.Scan(ctx, k.member, k.mailbox, threading.UIDSet{{First: first, Last: last}}, Want{Header: true, Text: true}, func(x Scanned) error {
		if len(b.keys) == blockMessages {
			return errEnough
		}
		b.add(&x)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	return b.pack(), nil
}

func (b *newBlock) add(x *Scanned) {
	b.keys = append(b.keys, keysOf(&x.Entry, x.Header))
	b.filters = append(b.filters, make([]uint64, filterWords)...)
	filter := b.filters[len(b.filters)-filterWords:]
	mark := func(text string) {
		for i := 0; i+3 <= len(text); i++ {
			bit := trigramBit(text[i : i+3])
			filter[bit>>6] |= 1 << (bit & 63)
		}
	}
	for _, value := range mimetree.Fields(x.Header) {
		mark(threading.Fold(mimetree.DecodeHeader(value)))
	}
	mark(x.Text)
}

func (b *newBlock) pack() *packedBlock {
	p := &packedBlock{}
	if len(b.keys) == 0 {
		return p
	}
	uids := make([]uint32, len(b.keys))
	for i := range b.keys {
		uids[i] = b.keys[i].UID
	}
	p.block = block{first: uids[0], last: uids[len(uids)-1], messages: len(uids), bits: b.size(), uids: packUIDs(uids), keys: packKeys(b.keys)}
	p.rows = b.slices(p.bits)
	return p
}

// size is how many bits a message's filter gets: about a fifth of them is set.
func (b *newBlock) size() uint32 {
	set := 0
	for _, w := range b.filters {
		set += bits.OnesCount64(w)
	}
	size := uint32(minSliceBits)
	for size < maxSliceBits && int(size) < 4*set/len(b.keys) {
		size *= 2
	}
	return size
}

// slices turns the filters by 90 degrees.
func (b *newBlock) slices(size uint32) [][]byte {
	rows := make([][]byte, (size+groupSlices-1)/groupSlices)
	for m := range b.keys {
		octet, bit := m>>3, byte(1)<<(m&7)
		for w, word := range b.filters[m*filterWords : (m+1)*filterWords] {
			for ; word != 0; word &= word - 1 {
				at := uint32(w<<6+bits.TrailingZeros64(word)) & (size - 1)
				row := &rows[at/groupSlices]
				if *row == nil {
					*row = make([]byte, groupSlices*sliceOctets)
				}
				(*row)[int(at%groupSlices)*sliceOctets+octet] |= bit
			}
		}
	}
	return rows
}

// addBlock writes a block, unless its mailbox was deleted meanwhile.
func (t *tx) addBlock(k mailboxKey, b *packedBlock) error {
	n, err := t.exec(`INSERT INTO index_blocks (member_id, mailbox_id, first_uid, last_uid, messages, bits, uids, keys)
		SELECT member_id, id, ?, ?, ?, ?, ?, ? FROM mailboxes WHERE member_id = ? AND id = ?`,
		b.first, b.last, b.messages, b.bits, b.uids, b.keys, k.member, k.mailbox)
	if err != nil || n == 0 {
		return err
	}
	for i, data := range b.rows {
		if data == nil {
			continue
		}
		if _, err := t.exec("INSERT INTO index_slices (member_id, mailbox_id, first_uid, slice, data) VALUES (?, ?, ?, ?, ?)", k.member, k.mailbox, b.first, i, data); err != nil {
			return err
		}
	}
	return nil
}
