package imapd

import "time"

// Preview is the message's first words (RFC 8970), at most
// mimetree.MaxPreview characters.
func (m *Message) Preview() (string, error) {
	return m.s.store().Preview(m.s.ctx, m.entry.BodyID)
}

// SaveDate is when the message came into this mailbox (RFC 8514).
func (m *Message) SaveDate() time.Time { return m.entry.PlacedAt }
