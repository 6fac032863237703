package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// errOwnOnly is what a writer hears whose first message the member does not take.
// It says nothing of the member but that.
var errOwnOnly = refuse(550, 5, 7, 1, "This member takes first messages only about their own productions and roles: choose one on the contact form, or write to the address of one of their roles.")

// paceOf is how much a member may write: new ones less.
func (p *Pipeline) paceOf(m threading.Member) threading.Pace {
	if p.o.Now().Sub(m.CreatedAt) < p.o.NewFor {
		return p.o.NewPace
	}
	return p.o.Pace
}

// withinPace refuses a plan of which there is too much, before the work is done.
// A sender's retry of what is filed is not counted again.
func (p *Pipeline) withinPace(ctx context.Context, pl *plan, h *head, digest string) error {
	if pl.automatic {
		return nil
	}
	var threads, messages int
	for _, l := range pl.letters {
		if l.newThread != nil {
			threads += max(1, len(l.newThread.Participants)-1)
		} else {
			messages++
		}
	}
	err := p.o.Store.WithinPace(ctx, pl.writer.ID, p.paceOf(pl.writer), threads, messages)
	var e *store.PaceError
	if !errors.As(err, &e) {
		return err
	}
	for _, l := range pl.letters {
		if was, werr := p.o.Store.WasFiled(ctx, p.dedupe(l, h, digest)); werr != nil {
			return werr
		} else if !was {
			return paceRefusal(err)
		}
	}
	return nil
}

// paceRefusal puts a *store.PaceError into words; other errors stay.
func paceRefusal(err error) error {
	var e *store.PaceError
	if !errors.As(err, &e) {
		return err
	}
	within := "an hour"
	if e.Within > time.Hour {
		within = "a day"
	}
	switch {
	case e.Threads && e.After == 0:
		return refuse(550, 5, 7, 1, "You can start conversations with %d members within %s, and this message is to more. Nobody got it: please send it to fewer.", e.Limit, within)
	case e.After == 0:
		return refuse(550, 5, 7, 1, "You can write %d messages within %s, and this message is to more conversations. Nobody got it: please send it to fewer.", e.Limit, within)
	}
	what := fmt.Sprintf("You have written %d messages within %s, as many as are allowed", e.Limit, within)
	if e.Threads {
		what = fmt.Sprintf("You have started conversations with %d members within %s, as many as are allowed; you can still answer those who wrote to you", e.Limit, within)
	}
	r := refuse(450, 4, 7, 1, "%s. Please try again %s.", what, waiting(e.After))
	r.RetryAfter = e.After
	return r
}

// waiting says how long to wait, roughly.
func waiting(d time.Duration) string {
	switch hours := int(d.Round(time.Hour) / time.Hour); {
	case d < 90*time.Second:
		return "in a minute"
	case d < 90*time.Minute:
		return fmt.Sprintf("in %d minutes", int(d.Round(time.Minute)/time.Minute))
	case hours < 24:
		return fmt.Sprintf("in %d hours", hours)
	default:
		return "in a day"
	}
}

// takesFirst refuses a first message that one of those it is for does not take.
func (p *Pipeline) takesFirst(ctx context.Context, writer threading.Member, to []addressee) error {
	for _, a := range to {
		if a.member.ID == writer.ID || a.member.Takes(a.production) {
			continue
		}
		if knows, err := p.o.Store.Knows(ctx, a.member.ID, writer.ID); err != nil {
			return err
		} else if !knows {
			return errOwnOnly
		}
	}
	return nil
}

// takesMore refuses what is written into a conversation that has ended. other
// is the one whom it is with; in a group, the zero Member.
func (p *Pipeline) takesMore(v *threading.ThreadView, other threading.Member) error {
	again := ""
	if other.Status == threading.MemberActive {
		again = fmt.Sprintf(" To write to %s again, send a new message to %s@%s.", other.DisplayName(), other.Handle, p.o.Domain)
	}
	switch {
	case v.Thread.Status == threading.ThreadClosed:
		return errClosed
	case !v.Production.ClosedAt.IsZero():
		return refuse(550, 5, 7, 1, "The production %s has been closed, and the conversations about it with it, so your message was not delivered.%s", v.Production.Title, again)
	case p.o.ExpireAfter > 0 && p.o.Now().Sub(v.Thread.LastAt) > p.o.ExpireAfter:
		return refuse(550, 5, 7, 1, "Nobody has written in this conversation for %d days, so its reply address has expired and your message was not delivered.%s", p.o.ExpireAfter/(24*time.Hour), again)
	}
	return nil
}

// errProductionClosed refuses a first message about a production that is closed.
func errProductionClosed(pr threading.Production) error {
	return refuse(550, 5, 7, 1, "The production %s has been closed, so your message was not delivered.", pr.Title)
}
