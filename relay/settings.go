package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

var (
	errSettingsWord = refuse(550, 5, 6, 0, "This address only changes how often you are told of new messages. To change it, answer with one of these words on the only line: stop, daily or start. To answer a member, reply to their own message.")
	errSettingsFrom = refuse(550, 5, 7, 1, "Please write from an address that is registered with your account: the settings of another account can't be changed.")
)

// settingsWords are what the only new line of a message to a settings address
// may say.
var settingsWords = map[string]threading.Alerts{
	"stop": threading.AlertsNever, "unsubscribe": threading.AlertsNever,
	"daily": threading.AlertsDaily,
	"start": threading.AlertsImmediate,
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
	alerts, ok := settingsWord(text)
	if !ok {
		// Programs that follow List-Unsubscribe send its subject and a text of
		// their own (RFC 2369 section 3.2).
		if alerts, ok = settingsWord(h.get("Subject")); !ok {
			return errSettingsWord
		}
	}
	return p.setAlerts(ctx, writer, alerts)
}

func settingsWord(s string) (threading.Alerts, bool) {
	alerts, ok := settingsWords[strings.ToLower(strings.Trim(s, " \t\r\n\"'.!"))]
	return alerts, ok
}

func (p *Pipeline) setAlerts(ctx context.Context, m threading.Member, alerts threading.Alerts) error {
	if m.Alerts == alerts {
		return nil
	}
	m.Alerts = alerts
	if err := p.o.Store.UpdateMember(ctx, m); err != nil {
		return fmt.Errorf("change the alerts: %w", err)
	}
	p.o.Logger.Info("alerts changed", "member", m.Handle, "alerts", alerts)
	return nil
}

// AlertsOf returns the member whose alerts the token of a notification's link
// may change. ErrNoQuestion if the token is none, or the member has left.
func (p *Pipeline) AlertsOf(ctx context.Context, token string) (threading.Member, error) {
	id, ok := p.o.Store.Keyring().ParseToken(seal.TokenSettings, token)
	if !ok {
		return threading.Member{}, ErrNoQuestion
	}
	m, err := p.o.Store.Member(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && m.Status == threading.MemberRemoved {
		return m, ErrNoQuestion
	}
	return m, err
}

// SetAlerts changes the alerts of the member that the token stands for. Who
// has a notification of theirs can do this, and nothing else, without signing
// in (RFC 8058). ErrNoQuestion.
func (p *Pipeline) SetAlerts(ctx context.Context, token string, alerts threading.Alerts) error {
	m, err := p.AlertsOf(ctx, token)
	if err != nil {
		return err
	}
	return p.setAlerts(ctx, m, alerts)
}
