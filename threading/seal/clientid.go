package seal

import "github.com/stagedoor/stagedoor/threading"

// ClientID is the keyed hash of the Message-ID (without angle brackets) that a
// member's own mail client gave a message. By it a message that the client
// submits and the copy that it appends to Sent are known to be the same.
func ClientID(k *Keyring, member threading.ID, messageID string) []byte {
	return k.Hash("client-id", member.String(), messageID)
}
