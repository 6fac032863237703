package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
)

// maxKnown bounds the keywords that are remembered of a member.
const maxKnown = 256

// know remembers keywords that entries of a member get. The mailboxes go on
// telling them when no message has them any more (RFC 9051 section 7.3.5):
// a client that comes back (RFC 7162 section 3.2.5) is told of the keywords
// first and of the messages that lost them afterwards.
func (t *tx) know(member threading.ID, keywords []string) error {
	if len(keywords) == 0 {
		return nil
	}
	if _, err := t.modseq(member); err != nil {
		return err
	}
	list := strings.Fields(t.known[member])
	before := len(list)
	for _, k := range keywords {
		if len(list) < maxKnown && !slices.ContainsFunc(list, func(had string) bool { return strings.EqualFold(had, k) }) {
			list = append(list, k)
		}
	}
	if len(list) == before {
		return nil
	}
	t.setKnown(member, strings.Join(list, " "))
	if _, err := t.exec("UPDATE member_state SET keywords = ? WHERE member_id = ?", t.known[member], member); err != nil {
		return fmt.Errorf("remember keywords: %w", err)
	}
	return nil
}

func (t *tx) setKnown(member threading.ID, keywords string) {
	if t.known == nil {
		t.known = map[threading.ID]string{}
	}
	t.known[member] = keywords
}
