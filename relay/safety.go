package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Acquaintance is one member as another sees them in one conversation: what a
// notification's link to block and report is about.
type Acquaintance struct {
	Viewer, Other threading.Member
	Thread        threading.Thread
	Blocked       bool // Viewer has blocked Other
	// Alerts is how Viewer is told of this conversation; threading.AlertsUsual: as
	// of all.
	Alerts threading.Alerts
}

// Acquaintance returns what the token of such a link stands for. ErrNoQuestion.
func (p *Pipeline) Acquaintance(ctx context.Context, token string) (*Acquaintance, error) {
	id, ok := p.o.Store.Keyring().ParseToken(seal.TokenBlock, token)
	if !ok {
		return nil, ErrNoQuestion
	}
	alias, err := p.o.Store.Alias(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoQuestion
	} else if err != nil {
		return nil, err
	}
	return p.acquaintance(ctx, alias)
}

func (p *Pipeline) acquaintance(ctx context.Context, alias threading.Alias) (*Acquaintance, error) {
	v, err := p.o.Store.Thread(ctx, alias.ThreadID)
	if err != nil {
		return nil, fmt.Errorf("read the thread: %w", err)
	}
	a := &Acquaintance{Thread: v.Thread}
	var known, has bool
	a.Viewer, has = v.Participant(alias.ViewerID)
	a.Other, known = v.Participant(alias.OtherID)
	if !has || !known || a.Viewer.Status == threading.MemberRemoved {
		return nil, ErrNoQuestion
	}
	if a.Blocked, err = p.o.Store.Blocked(ctx, a.Viewer.ID, a.Other.ID); err == nil {
		a.Alerts, err = p.o.Store.ThreadAlerts(ctx, a.Viewer.ID, a.Thread.ID)
	}
	return a, err
}

// SetBlocked blocks or unblocks. The other is not told.
func (p *Pipeline) SetBlocked(ctx context.Context, a *Acquaintance, blocked bool) error {
	if blocked {
		return p.o.Store.Block(ctx, a.Viewer.ID, a.Other.ID)
	}
	return p.o.Store.Unblock(ctx, a.Viewer.ID, a.Other.ID)
}

// Report tells the operator of the other's newest message in the
// conversation, with what the reporter says about it. The other is not told.
// store.ErrNothingToReport.
func (p *Pipeline) Report(ctx context.Context, a *Acquaintance, via threading.ReportVia, reason string) error {
	r, news, err := p.o.Store.AddReport(ctx, threading.Report{
		ReporterID: a.Viewer.ID, OtherID: a.Other.ID, ThreadID: a.Thread.ID, Via: via, Reason: cut(reason, threading.MaxReason),
	})
	if err == nil && news {
		p.o.Logger.Warn("a message was reported", "report", r.ID, "reporter", a.Viewer.Handle, "of", a.Other.Handle, "via", via)
	}
	return err
}

// cut shortens s to at most n octets of valid UTF-8.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// Refusals of what a member sends to report@.
var (
	errReportHow = refuse(550, 5, 6, 0, "We could not find out which message you mean. Please forward the message as you received it, with the address of its sender in it.")
)

// errBlocked tells a member why their own message is not sent.
func errBlocked(name string) error {
	return refuse(550, 5, 7, 1, "You have blocked %s, so your message was not sent: an answer would not reach you. Unblock them first.", name)
}

// reportInbound is reportByMail for what came from elsewhere.
func (p *Pipeline) reportInbound(ctx context.Context, in Inbound) error {
	writer, err := p.registered(ctx, in.Auth)
	switch {
	case err != nil:
		return err
	case !in.Auth.Aligned && in.Auth.TempError:
		return errAuthTemporary
	case !in.Auth.Aligned || writer.ID == 0:
		return errNotMember
	}
	return p.reportByMail(ctx, writer, in.Message)
}

// maxReported is how much of a message to report@ is looked through, in octets.
const maxReported = 1 << 20

// reported finds our reply aliases in a text.
var reported = regexp.MustCompile(`(?i)\bt-([a-z2-7]{26})@`)

// reportByMail takes a message that a proven member forwarded to report@: the
// alias in it that is theirs says whom they mean.
func (p *Pipeline) reportByMail(ctx context.Context, writer threading.Member, msg *spool.Message) error {
	raw, err := io.ReadAll(io.LimitReader(msg.Open(), maxReported))
	if err != nil {
		return err
	}
	shown, err := sanitize.AllText(msg.Open())
	if err != nil {
		return err
	}
	for _, text := range []string{shown, string(raw)} {
		for _, m := range reported.FindAllStringSubmatch(text, 100) {
			id, ok := p.o.Store.Keyring().ParseToken(seal.TokenAlias, m[1])
			if !ok {
				continue
			}
			alias, err := p.o.Store.Alias(ctx, id)
			if errors.Is(err, store.ErrNotFound) || err == nil && alias.ViewerID != writer.ID {
				continue
			} else if err != nil {
				return err
			}
			a, err := p.acquaintance(ctx, alias)
			if errors.Is(err, ErrNoQuestion) {
				continue
			} else if err != nil {
				return err
			}
			reason, err := sanitize.NewText(msg.Open())
			if err != nil {
				return err
			}
			err = p.Report(ctx, a, threading.ReportMail, reason)
			if errors.Is(err, store.ErrNothingToReport) {
				continue
			}
			return err
		}
	}
	return errReportHow
}
