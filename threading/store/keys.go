package store

import (
	"crypto/sha256"
	"encoding/binary"
	"net/mail"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// Keys are what a message is sorted and threaded by (RFC 5256, RFC 5957). Text
// is folded; of fields that may stand several times the first counts.
type Keys struct {
	UID        uint32
	Saved      int64 // INTERNALDATE in milliseconds
	Sent       int64 // the Date field, or Saved where it says nothing (RFC 5256 section 2.2)
	Size       int64
	Thread     threading.ID // zero: a client put the message there
	MessageID  uint64       // a hash; zero: none
	References []uint64     // hashes of the messages before this one, the oldest first

	Subject      string // the base subject
	Reply        bool   // the subject had a mark of a reply or forward
	From, To, Cc string // the first address's mailbox
	DisplayFrom  string // the first address's name, or else the address
	DisplayTo    string
}

// Bounds of what is kept of one message.
const (
	maxKeyText    = 500 // octets
	maxKeyField   = 2 << 10
	maxReferences = 50
)

// keysOf reads the keys out of a header block.
func keysOf(e *threading.Entry, header []byte) Keys {
	k := Keys{UID: e.UID, Saved: millis(e.SavedAt), Size: e.Size(), Thread: e.ThreadID}
	k.Sent = k.Saved
	var seen [8]bool
	first := func(i int) bool {
		was := seen[i]
		seen[i] = true
		return !was
	}
	var inReplyTo []uint64
	for name, value := range mimetree.Fields(header) {
		switch {
		case strings.EqualFold(name, "Date") && first(0):
			if t, err := mail.ParseDate(value); err == nil && t.Year() > 0 && t.Before(farFuture) {
				k.Sent = t.UnixMilli()
			}
		case strings.EqualFold(name, "Subject") && first(1):
			k.Subject, k.Reply = threading.BaseSubject(keyText(value))
		case strings.EqualFold(name, "From") && first(2):
			k.From, k.DisplayFrom = firstAddress(value)
		case strings.EqualFold(name, "To") && first(3):
			k.To, k.DisplayTo = firstAddress(value)
		case strings.EqualFold(name, "Cc") && first(4):
			k.Cc, _ = firstAddress(value)
		case strings.EqualFold(name, "Message-ID") && first(5):
			if ids := idHashes(value); len(ids) > 0 {
				k.MessageID = ids[0]
			}
		case strings.EqualFold(name, "References") && first(6):
			k.References = idHashes(value)
		case strings.EqualFold(name, "In-Reply-To") && first(7):
			inReplyTo = idHashes(value)
		}
	}
	if len(k.References) == 0 && len(inReplyTo) > 0 {
		k.References = inReplyTo[:1] // RFC 5256 section 3: the first valid Message-ID of In-Reply-To
	}
	return k
}

var farFuture = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)

// keyText decodes and folds a value, cut to maxKeyText octets.
func keyText(value string) string {
	value = value[:min(len(value), maxKeyField)]
	text := strings.TrimSpace(threading.Fold(mimetree.DecodeHeader(value)))
	if len(text) > maxKeyText {
		text = strings.ToValidUTF8(text[:maxKeyText], "")
	}
	return text
}

// firstAddress returns the mailbox of a field's first address, and what is
// displayed of it (RFC 5957 section 3): the name, or mailbox@host.
func firstAddress(value string) (mailbox, display string) {
	value = value[:min(len(value), maxKeyField)]
	// A group's name stands for its addresses (RFC 5256 section 3, RFC 5957).
	if group, _, ok := strings.Cut(value, ":"); ok && !strings.ContainsAny(group, `<@,"(`) {
		name := keyText(group)
		return name, name
	}
	var name, addr string
	if list, err := mail.ParseAddressList(value); err == nil && len(list) > 0 {
		name, addr = list[0].Name, list[0].Address
	} else {
		value, _, _ = strings.Cut(value, ",")
		var rest string
		var angled bool
		if name, rest, angled = strings.Cut(value, "<"); angled {
			addr, _, _ = strings.Cut(rest, ">")
			name = strings.Trim(strings.TrimSpace(name), `"`)
		} else {
			name, addr = "", strings.TrimSpace(value)
		}
	}
	mailbox, _, _ = strings.Cut(addr, "@")
	if display = keyText(name); display == "" {
		display = keyText(addr)
	}
	return keyText(mailbox), display
}

// idHashes returns the hashes of a value's msg-ids: the first and the last
// ones if there are more than maxReferences.
func idHashes(value string) []uint64 {
	var ids []uint64
	for {
		_, rest, ok := strings.Cut(value, "<")
		if !ok {
			return ids
		}
		var id string
		if id, value, ok = strings.Cut(rest, ">"); !ok {
			return ids
		}
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		if len(ids) == maxReferences {
			ids = append(ids[:1], ids[2:]...)
		}
		ids = append(ids, idHash(id))
	}
}

// idHash is never zero.
func idHash(id string) uint64 {
	sum := sha256.Sum256([]byte(id))
	return binary.BigEndian.Uint64(sum[:]) | 1
}
