package store

import (
	"encoding/binary"
	"errors"
)

// Columns say which of the Keys are wanted. UID always is.
type Columns uint16

// The columns, in the order in which a block keeps them.
const (
	ColumnSaved Columns = 1 << iota
	ColumnSent
	ColumnSize
	ColumnThread
	ColumnReferences // MessageID as well
	ColumnSubject    // Reply as well
	ColumnFrom
	ColumnTo
	ColumnCc
	ColumnDisplayFrom
	ColumnDisplayTo

	columnsEnd
)

var errColumns = errors.New("a block of the index is damaged")

// packKeys writes the keys of a block's messages column by column: each is
// compressed by itself, so that only what is wanted is read.
func packKeys(keys []Keys) []byte {
	var out, raw []byte
	for c := Columns(1); c < columnsEnd; c <<= 1 {
		raw = raw[:0]
		for i := range keys {
			raw = keys[i].appendColumn(raw, c)
		}
		packed := compress(raw)
		out = binary.AppendUvarint(out, uint64(len(packed)))
		out = append(out, packed...)
	}
	return out
}

// text returns where a column of text is kept.
func (k *Keys) text(c Columns) *string {
	switch c {
	case ColumnSubject:
		return &k.Subject
	case ColumnFrom:
		return &k.From
	case ColumnTo:
		return &k.To
	case ColumnCc:
		return &k.Cc
	case ColumnDisplayFrom:
		return &k.DisplayFrom
	case ColumnDisplayTo:
		return &k.DisplayTo
	}
	return nil
}

// number returns where a column of numbers is kept.
func (k *Keys) number(c Columns) *int64 {
	switch c {
	case ColumnSaved:
		return &k.Saved
	case ColumnSent:
		return &k.Sent
	case ColumnSize:
		return &k.Size
	case ColumnThread:
		return (*int64)(&k.Thread)
	}
	return nil
}

func (k *Keys) appendColumn(b []byte, c Columns) []byte {
	if n := k.number(c); n != nil {
		return binary.AppendVarint(b, *n)
	}
	if c == ColumnReferences {
		b = binary.BigEndian.AppendUint64(b, k.MessageID)
		b = binary.AppendUvarint(b, uint64(len(k.References)))
		for _, id := range k.References {
			b = binary.BigEndian.AppendUint64(b, id)
		}
		return b
	}
	if c == ColumnSubject {
		reply := byte(0)
		if k.Reply {
			reply = 1
		}
		b = append(b, reply)
	}
	text := *k.text(c)
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// unpackKeys reads the wanted columns into keys, which has the block's length.
func unpackKeys(packed []byte, want Columns, keys []Keys) error {
	r := &columnReader{rest: string(packed)}
	for c := Columns(1); c < columnsEnd; c <<= 1 {
		column := r.take(r.uvarint())
		if r.bad {
			return errColumns
		}
		if want&c == 0 {
			continue
		}
		raw, err := decompress([]byte(column))
		if err != nil {
			return err
		}
		cr := &columnReader{rest: string(raw)}
		for i := range keys {
			cr.column(&keys[i], c)
		}
		if cr.bad || cr.rest != "" {
			return errColumns
		}
	}
	return nil
}

// columnReader reads what appendColumn wrote. What it returns shares memory
// with the column.
type columnReader struct {
	rest string
	bad  bool
}

func (r *columnReader) take(n uint64) string {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, ""
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *columnReader) uvarint() (v uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := r.take(1)
		if r.bad {
			return 0
		}
		v |= uint64(b[0]&0x7f) << shift
		if b[0] < 0x80 {
			return v
		}
	}
	r.bad = true
	return 0
}

func (r *columnReader) hash() uint64 {
	b := r.take(8)
	if r.bad {
		return 0
	}
	var v uint64
	for i := range 8 {
		v = v<<8 | uint64(b[i])
	}
	return v
}

func (r *columnReader) column(k *Keys, c Columns) {
	if n := k.number(c); n != nil {
		u := r.uvarint() // zigzag, as binary.AppendVarint writes it
		*n = int64(u>>1) ^ -int64(u&1)
		return
	}
	if c == ColumnReferences {
		k.MessageID = r.hash()
		n := r.uvarint()
		if n > maxReferences {
			r.bad = true
			return
		}
		if n > 0 {
			k.References = make([]uint64, n)
		}
		for i := range k.References {
			k.References[i] = r.hash()
		}
		return
	}
	if c == ColumnSubject {
		k.Reply = r.take(1) == "\x01"
	}
	*k.text(c) = r.take(r.uvarint())
}

// packUIDs writes ascending UIDs.
func packUIDs(uids []uint32) []byte {
	var out []byte
	last := uint32(0)
	for _, uid := range uids {
		out = binary.AppendUvarint(out, uint64(uid-last))
		last = uid
	}
	return out
}

func unpackUIDs(packed []byte, n int) ([]uint32, error) {
	r := &columnReader{rest: string(packed)}
	uids := make([]uint32, n)
	last := uint32(0)
	for i := range uids {
		last += uint32(r.uvarint())
		uids[i] = last
	}
	if r.bad || r.rest != "" {
		return nil, errColumns
	}
	return uids, nil
}
