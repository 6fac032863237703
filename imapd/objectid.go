package imapd

import (
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// Object identifiers (RFC 8474) are tokens: they tell nothing of how much mail
// there is, or of when it came. A letter before them says what they name.
var objectLetters = map[seal.TokenKind]string{seal.TokenMailbox: "F", seal.TokenItem: "M", seal.TokenThread: "T"}

func (s *Session) objectID(kind seal.TokenKind, id threading.ID) string {
	return objectLetters[kind] + s.store().Keyring().Token(kind, id)
}

// parseObjectID returns zero for what is none.
func (s *Session) parseObjectID(kind seal.TokenKind, text string) threading.ID {
	if len(text) < 2 || text[:1] != objectLetters[kind] {
		return 0
	}
	id, _ := s.store().Keyring().ParseToken(kind, text[1:])
	return id
}

// EmailID is the same for all copies of a message that a member has.
func (m *Message) EmailID() string { return m.s.objectID(seal.TokenItem, m.entry.ItemID) }

// ThreadID is the conversation's; empty for a message that belongs to none.
func (m *Message) ThreadID() string {
	if m.entry.ThreadID == 0 {
		return ""
	}
	return m.s.objectID(seal.TokenThread, m.entry.ThreadID)
}

// ModSeq is the mod-sequence of the message's last change (RFC 7162).
func (m *Message) ModSeq() uint64 { return m.entry.ModSeq }
