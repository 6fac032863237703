package relay

import (
	"context"
	"errors"

	"github.com/stagedoor/stagedoor/relay/automatic"
	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
)

// recognise says whether a person wrote a message.
func recognise(h *head, reversePath string, msg *spool.Message) (automatic.Verdict, error) {
	return automatic.Recognise(automatic.Message{
		ReversePath: reversePath,
		Field:       h.decoded,
		Text:        func() (string, error) { return sanitize.NewText(msg.Open()) },
	})
}

// receiveAutomatic takes a message that no person wrote, to an alias or a
// contact address. A notice that somebody is away is filed for whom it answers,
// if its writer is proven; nothing is mailed because of it. Everything else is
// noted. Nothing is refused: nobody is there to read an answer.
func (p *Pipeline) receiveAutomatic(ctx context.Context, in Inbound, people []Target, h *head, v automatic.Verdict) error {
	if v.Kind == automatic.OutOfOffice && p.o.FileOutOfOffice {
		err := p.fileOutOfOffice(ctx, in, people, h)
		var refused *Refusal
		if !errors.As(err, &refused) || refused.Temporary() {
			return err
		}
	}
	for _, t := range people {
		if err := p.o.Store.Record(ctx, "automatic", t.Alias.ThreadID, string(v.Kind)+": "+v.Why); err != nil {
			return err
		}
	}
	return nil
}

// fileOutOfOffice files a vacation notice in the threads that it answers.
func (p *Pipeline) fileOutOfOffice(ctx context.Context, in Inbound, people []Target, h *head) error {
	for _, t := range people {
		if t.Kind != threading.RecipientAlias {
			return errNotMember // it answers no conversation
		}
	}
	if err := p.loops(h, in.Auth); err != nil {
		return err
	}
	writer, err := p.proveWriter(ctx, in.Auth, people)
	if err != nil {
		return err
	}
	pl, err := p.plan(ctx, writer, people, h)
	if err != nil {
		return err
	}
	pl.automatic = true
	return p.file(ctx, pl, h, in.Message)
}
