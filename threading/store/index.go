package store

import (
	"context"
	"fmt"

	"github.com/stagedoor/stagedoor/threading"
)

// The index of a mailbox is a row of blocks, each of up to blockMessages
// messages in the order of their UIDs. A block has, for each message, a Bloom
// filter over the trigrams of its folded header values and text, turned by 90
// degrees: for each bit of the filters one slice, which says which messages
// have it. A needle of n trigrams is looked for by reading n slices of a block,
// whatever the messages' size. Beside the filters a block has the messages'
// Keys.
//
// The index is never stale. Messages don't change, and UIDs grow in the order
// of the commits: what came after the last block is read as it is, and blocks
// are only added for what is there. What was expunged is left in its block until
// that is mostly empty; whoever asks compares with the mailbox anyway. Blocks
// are made beside the filing of messages (see pack.go) and each is written in
// one transaction.
const (
	blockMessages = 1024
	sliceOctets   = blockMessages / 8
	// groupSlices slices make a row, which just fits into a page of the tree.
	groupSlices = 7

	minSliceBits = 1 << 10 // of a message's filter
	maxSliceBits = 1 << 16

	// maxTrigrams bounds how many of a needle's trigrams are looked up.
	maxTrigrams = 12
	// packAt is how many messages after the last block are worth another.
	packAt = 2 * blockMessages
)

// trigramBit is a trigram's bit in a filter of maxSliceBits bits. Its low bits
// are its bit in a smaller one.
func trigramBit(t string) uint32 {
	v := uint32(t[0]) | uint32(t[1])<<8 | uint32(t[2])<<16
	return uint32(uint64(v)*0x9E3779B97F4A7C15>>40) & (maxSliceBits - 1)
}

// needleBits returns the bits of a folded needle: all, or maxTrigrams of them
// from its whole length.
func needleBits(needle string) []uint32 {
	n := len(needle) - 2
	if n <= 0 {
		return nil
	}
	k := min(n, maxTrigrams)
	bits := make([]uint32, 0, k)
	for i := range k {
		at := i * n / k
		bits = append(bits, trigramBit(needle[at:at+3]))
	}
	return bits
}

// block is a block of a mailbox's index without its slices.
type block struct {
	first, last uint32
	messages    int
	bits        uint32
	uids        []byte
	keys        []byte // read for keys only
}

// What the index reads.
const (
	readBlocks    = "SELECT first_uid, last_uid, messages, bits, uids, NULL FROM index_blocks WHERE member_id = ? AND mailbox_id = ? ORDER BY first_uid"
	readBlockKeys = "SELECT first_uid, last_uid, messages, bits, uids, keys FROM index_blocks WHERE member_id = ? AND mailbox_id = ? ORDER BY first_uid"
	readSlices    = "SELECT data FROM index_slices WHERE member_id = ? AND mailbox_id = ? AND first_uid = ? AND slice = ?"
)

func scanBlock(r scanner) (block, error) {
	var b block
	err := r.Scan(&b.first, &b.last, &b.messages, &b.bits, &b.uids, &b.keys)
	if err == nil && (b.messages > blockMessages || b.bits < minSliceBits || b.bits > maxSliceBits || b.bits&(b.bits-1) != 0) {
		err = errColumns
	}
	return b, err
}

// Candidates returns, for each folded needle, the UIDs of the messages that may
// have it in a header value or in their text: all that do, and a few more. A
// needle under three octets narrows nothing.
func (s *Store) Candidates(ctx context.Context, memberID, mailboxID threading.ID, needles []string) ([]threading.UIDSet, error) {
	sets := make([]threading.UIDSet, len(needles))
	var last uint32
	err := s.snapshot(ctx, []string{readBlocks, readSlices}, func(r *reader) error {
		last = 0
		clear(sets)
		blocks, err := r.blocks(readBlocks, memberID, mailboxID)
		if err != nil {
			return err
		}
		for _, b := range blocks {
			last = b.last
			for i, needle := range needles {
				if err := r.candidates(memberID, mailboxID, &b, needle, &sets[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("search the index: %w", err)
	}
	for i := range sets {
		if last < everyUID[0].Last {
			sets[i] = append(sets[i], threading.UIDRange{First: last + 1, Last: everyUID[0].Last})
		}
	}
	return sets, s.wantBlocks(ctx, memberID, mailboxID, last)
}

func (r *reader) blocks(query string, member, mailbox threading.ID) ([]block, error) {
	var list []block
	err := r.rows(query, []any{member, mailbox}, func(row scanner) error {
		b, err := scanBlock(row)
		list = append(list, b)
		return err
	})
	return list, err
}

// candidates adds a block's candidates to a set.
func (r *reader) candidates(member, mailbox threading.ID, b *block, needle string, set *threading.UIDSet) error {
	var hits [sliceOctets]byte
	for i := range hits {
		hits[i] = 0xff
	}
	for _, bit := range needleBits(needle) {
		bit &= b.bits - 1
		at := int(bit%groupSlices) * sliceOctets
		found, left := false, byte(0)
		err := r.rows(readSlices, []any{member, mailbox, b.first, bit / groupSlices}, func(row scanner) error {
			var data []byte
			if err := row.Scan(&data); err != nil {
				return err
			}
			if len(data) < at+sliceOctets {
				return errColumns
			}
			found = true
			for i := range hits {
				hits[i] &= data[at+i]
				left |= hits[i]
			}
			return nil
		})
		if err != nil {
			return err
		}
		if !found || left == 0 { // a row of zeros is not kept
			return nil
		}
	}
	uids, err := unpackUIDs(b.uids, b.messages)
	if err != nil {
		return err
	}
	for i, uid := range uids {
		if hits[i>>3]&(1<<(i&7)) != 0 {
			set.AddUID(uid)
		}
	}
	return nil
}

// Keys returns the keys of a mailbox's messages by ascending UID, with the
// columns that are wanted. Messages that were expunged may be among them.
func (s *Store) Keys(ctx context.Context, memberID, mailboxID threading.ID, want Columns) ([]Keys, error) {
	var keys []Keys
	var last uint32
	err := s.snapshot(ctx, []string{readBlockKeys}, func(r *reader) error {
		keys, last = nil, 0
		return r.rows(readBlockKeys, []any{memberID, mailboxID}, func(row scanner) error {
			b, err := scanBlock(row)
			if err != nil {
				return err
			}
			last = b.last
			uids, err := unpackUIDs(b.uids, b.messages)
			if err != nil {
				return err
			}
			from := len(keys)
			for _, uid := range uids {
				keys = append(keys, Keys{UID: uid})
			}
			return unpackKeys(b.keys, want, keys[from:])
		})
	})
	if err == nil && last < everyUID[0].Last {
		tail := threading.UIDSet{{First: last + 1, Last: everyUID[0].Last}}
		err = s.Scan(ctx, memberID, mailboxID, tail, Want{Header: true}, func(x Scanned) error {
			keys = append(keys, keysOf(&x.Entry, x.Header))
			return nil
		})
	}
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	return keys, s.wantBlocks(ctx, memberID, mailboxID, last)
}

// wantBlocks has blocks made if much came after the last one.
func (s *Store) wantBlocks(ctx context.Context, member, mailbox threading.ID, last uint32) error {
	var n int
	err := s.row(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM entries WHERE member_id = ? AND mailbox_id = ? AND uid > ? LIMIT ?)", []any{member, mailbox, last, packAt}, &n)
	if err == nil && n == packAt {
		s.packer.want(mailboxKey{member, mailbox})
	}
	return err
}
