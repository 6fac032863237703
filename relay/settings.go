package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

var (
	errSettingsWord = refuse(550, 5, 6, 0, "This address only changes how often you are told of new messages. To change it, answer with one of these words on the only line: stop, daily or start; or with two, such as daily this, for one conversation. To answer a member, reply to their own message.")
	errSettingsFrom = refuse(550, 5, 7, 1, "Please write from an address that is registered with your account: the settings of another account can't be changed.")
)

// setting is what a member wants: of all threads, or of the one.
type setting struct {
	alerts threading.Alerts
	topic  bool
}

// settingsByMail takes a message to a member's settings address.
func (p *Pipeline) settingsByMail(ctx context.Context, in Inbound, t Target, h *head) error {
	writer, err := p.registered(ctx, in.Auth)
	switch {
	case err != nil:
		return err
	case !in.Auth.Aligned && in.Auth.TempError:
		return errAuthTemporary
	case !in.Auth.Aligned || writer.ID != t.Settings:
		return errSettingsFrom
	}
	text, err := sanitize.NewText(in.Message.Open())
	if err != nil {
		return err
	}
	s, ok := p.settingOf(text)
	if !ok {
		// Programs that follow List-Unsubscribe send its subject and a text of
		// their own (RFC 2369 section 3.2).
		s, ok = p.settingOf(mimetree.DecodeHeader(h.get("Subject")))
	}
	switch {
	case !ok || s.topic && t.Topic == 0:
		return errSettingsWord
	case s.topic:
		return p.SetThreadAlerts(ctx, writer, t.Topic, s.alerts)
	case s.alerts == threading.AlertsUsual:
		return errSettingsWord
	}
	return p.setAlerts(ctx, writer, s.alerts)
}

// settings are what the lists of words of package language mean.
var settings = map[string]threading.Alerts{
	"stop": threading.AlertsNever, "daily": threading.AlertsDaily, "start": threading.AlertsImmediate, "usual": threading.AlertsUsual,
}

// settingOf reads a line such as "stop", "daily this" or "diese täglich": one
// word for the setting and perhaps one that means the conversation alone.
func (p *Pipeline) settingOf(line string) (setting, bool) {
	words := strings.Fields(strings.Trim(line, " \t\r\n\"'“”„.!"))
	var s setting
	known := false
	for i, w := range words {
		list := p.o.Languages.Means(w, "stop", "daily", "start", "usual", "this")
		switch {
		case i > 1 || list == "":
			return s, false
		case list == "this" && !s.topic:
			s.topic = true
		case list != "this" && !known:
			s.alerts, known = settings[list], true
		default:
			return s, false
		}
	}
	return s, known
}

// setAlerts changes how a member is told of new messages.
func (p *Pipeline) setAlerts(ctx context.Context, m threading.Member, alerts threading.Alerts) error {
	if err := p.o.Store.SetAlerts(ctx, m.ID, alerts); err != nil {
		return fmt.Errorf("change the alerts: %w", err)
	}
	p.o.Logger.Info("alerts changed", "member", m.Handle, "alerts", alerts)
	return nil
}

// SetThreadAlerts changes how a member is told of one thread;
// threading.AlertsUsual: as of all. ErrNoQuestion if the member takes no part in
// it any more.
func (p *Pipeline) SetThreadAlerts(ctx context.Context, m threading.Member, thread threading.ID, alerts threading.Alerts) error {
	err := p.o.Store.SetThreadAlerts(ctx, m.ID, thread, alerts)
	if errors.Is(err, store.ErrNotFound) {
		return ErrNoQuestion
	} else if err != nil {
		return fmt.Errorf("change the alerts of a thread: %w", err)
	}
	p.o.Logger.Info("alerts of a thread changed", "member", m.Handle, "thread", p.o.Store.Keyring().Token(seal.TokenThread, thread), "alerts", alerts)
	return nil
}

// AlertsLink is what the link of a notification or digest lets its reader
// change.
type AlertsLink struct {
	Member threading.Member
	// Thread is what the notification was about; its ID is zero in a digest's link.
	Thread threading.Thread
	// Own is how the member is told of that thread; threading.AlertsUsual: as of
	// all.
	Own threading.Alerts
}

// AlertsOf returns what the token of such a link stands for. ErrNoQuestion if
// the token is none, or the member has left.
func (p *Pipeline) AlertsOf(ctx context.Context, token string) (AlertsLink, error) {
	var l AlertsLink
	k := p.o.Store.Keyring()
	member, ok := k.ParseToken(seal.TokenSettings, token)
	if id, topic := k.ParseToken(seal.TokenTopic, token); topic {
		alias, err := p.o.Store.Alias(ctx, id)
		var v threading.ThreadView
		if err == nil {
			v, err = p.o.Store.Thread(ctx, alias.ThreadID)
			l.Thread = v.Thread
		}
		if err == nil {
			l.Own, err = p.o.Store.ThreadAlerts(ctx, alias.ViewerID, alias.ThreadID)
		}
		if errors.Is(err, store.ErrNotFound) {
			return l, ErrNoQuestion
		} else if err != nil {
			return l, err
		}
		member, ok = alias.ViewerID, true
	}
	if !ok {
		return l, ErrNoQuestion
	}
	var err error
	l.Member, err = p.o.Store.Member(ctx, member)
	if errors.Is(err, store.ErrNotFound) || err == nil && l.Member.Status == threading.MemberRemoved {
		return l, ErrNoQuestion
	}
	return l, err
}

// SetAlerts changes the alerts of the link's member. Who has a notification of
// theirs can do this, and nothing else, without signing in (RFC 8058).
func (p *Pipeline) SetAlerts(ctx context.Context, l AlertsLink, alerts threading.Alerts) error {
	return p.setAlerts(ctx, l.Member, alerts)
}
