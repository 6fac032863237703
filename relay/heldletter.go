package relay

import (
	"context"
	"fmt"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// HeldLetter is a message that is held for the operator.
type HeldLetter struct {
	store.HeldLetter
	Message EvidenceMessage // as the first of its readers would see it
}

// HeldLetter reads a message that is held for the operator. Who calls it notes the
// look in the audit log before. store.ErrNotFound.
func (p *Pipeline) HeldLetter(ctx context.Context, message threading.ID) (HeldLetter, error) {
	h, err := p.o.Store.HeldLetter(ctx, message)
	if err != nil {
		return HeldLetter{}, err
	}
	m, err := p.evidence(ctx, h.Copies[0])
	if err != nil {
		return HeldLetter{}, fmt.Errorf("read a held message: %w", err)
	}
	return HeldLetter{h, m}, nil
}

// ReleaseLetter gives a message that is held for the operator to its readers, as
// if it had just come. store.ErrNotFound.
func (p *Pipeline) ReleaseLetter(ctx context.Context, message threading.ID) error {
	return p.o.Store.ReleaseLetter(ctx, message, p.o.NotifyAfter)
}

// DropLetter throws away what is held for the operator of a message. Its writer
// keeps it in Sent, and is not told. store.ErrNotFound.
func (p *Pipeline) DropLetter(ctx context.Context, message threading.ID) error {
	return p.o.Store.DropLetter(ctx, message)
}
