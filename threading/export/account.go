package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// account is what is the member's own beside the mailboxes: settings, and what
// they told the relay. Of others it holds display names only.
type account struct {
	Handle      string       `json:"handle"`
	Name        string       `json:"name"`
	MemberSince time.Time    `json:"member_since"`
	Alerts      string       `json:"alerts"`
	DigestAt    string       `json:"digest_at"`
	Timezone    string       `json:"timezone"`
	Language    string       `json:"language"` // empty: the installation's
	First       string       `json:"first_contact"`
	Addresses   []address    `json:"addresses"`
	Productions []production `json:"productions"`
	Own         []own        `json:"conversations_with_own_alerts"`
	Blocked     []string     `json:"blocked_members"`
	Reports     []report     `json:"reports"`
	Held        []held       `json:"held_messages"`
	Apps        []app        `json:"app_passwords"`
	Sessions    []session    `json:"sessions"`
}

// conversation is which one something is about.
type conversation struct {
	Subject string   `json:"subject"`
	With    []string `json:"with"`
}

// own is a conversation of which the member is told in another way than of all.
type own struct {
	conversation
	Alerts string `json:"alerts"`
}

// report is what the member reported. What the operator says about it is the
// operator's.
type report struct {
	conversation
	Of     string    `json:"of"`
	Via    string    `json:"via"`
	Reason string    `json:"reason"`
	Status string    `json:"status"`
	Made   time.Time `json:"made"`
}

// held is a message that waits until the member says who wrote it. What is in
// it and where it came from is not shown: it may be somebody else's.
type held struct {
	conversation
	Came  time.Time  `json:"came"`
	Until *time.Time `json:"until"`
}

type address struct {
	Address string    `json:"address"`
	Primary bool      `json:"primary"`
	Added   time.Time `json:"added"`
}

type production struct {
	Slug  string   `json:"slug"`
	Title string   `json:"title"`
	Roles []string `json:"roles"`
}

type app struct {
	Name     string     `json:"name"`
	Made     time.Time  `json:"made"`
	LastUsed *time.Time `json:"last_used"`
}

type session struct {
	Browser string    `json:"browser"`
	Began   time.Time `json:"began"`
}

func readAccount(ctx context.Context, s *store.Store, m threading.Member) (account, error) {
	a := account{
		Handle: m.Handle, Name: m.Name, MemberSince: m.CreatedAt, Alerts: string(m.Alerts), DigestAt: m.DigestAt, Timezone: m.Timezone, Language: m.Language, First: string(m.FirstContact),
		Addresses: []address{}, Productions: []production{}, Own: []own{}, Blocked: []string{}, Reports: []report{}, Held: []held{}, Apps: []app{}, Sessions: []session{},
	}
	addresses, err := s.Addresses(ctx, m.ID)
	if err != nil {
		return a, err
	}
	for _, x := range addresses {
		a.Addresses = append(a.Addresses, address{x.Real, x.Primary, x.CreatedAt})
	}
	productions, err := s.ProductionsOf(ctx, m.ID, m.ID)
	if err != nil {
		return a, err
	}
	for _, x := range productions {
		p := production{Slug: x.Slug, Title: x.Title, Roles: []string{}}
		roles, err := s.Roles(ctx, x.ID)
		if err != nil {
			return a, err
		}
		for _, r := range roles {
			p.Roles = append(p.Roles, r.Title)
		}
		a.Productions = append(a.Productions, p)
	}
	blocked, err := s.BlockedMembers(ctx, m.ID)
	if err != nil {
		return a, err
	}
	for _, x := range blocked {
		a.Blocked = append(a.Blocked, x.DisplayName())
	}
	if err := readDealings(ctx, s, m.ID, &a); err != nil {
		return a, err
	}
	credentials, err := s.Credentials(ctx, m.ID)
	if err != nil {
		return a, err
	}
	for _, c := range credentials {
		if c.Kind != threading.CredentialApp {
			continue
		}
		x := app{Name: c.Label, Made: c.CreatedAt}
		if !c.LastUsedAt.IsZero() {
			x.LastUsed = &c.LastUsedAt
		}
		a.Apps = append(a.Apps, x)
	}
	sessions, err := s.Sessions(ctx, m.ID)
	if err != nil {
		return a, fmt.Errorf("read the account: %w", err)
	}
	for _, x := range sessions {
		a.Sessions = append(a.Sessions, session{x.Agent, x.CreatedAt})
	}
	return a, nil
}

// maxDealings bounds how many reports and held messages are read.
const maxDealings = 10000

// readDealings reads what the member said about single conversations.
func readDealings(ctx context.Context, s *store.Store, member threading.ID, a *account) error {
	alerts, err := s.AlertsOfThreads(ctx, member)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(alerts)) {
		c, _, err := about(ctx, s, member, id)
		if err != nil {
			return err
		}
		a.Own = append(a.Own, own{c, string(alerts[id])})
	}
	reports, err := s.ReportsBy(ctx, member, maxDealings)
	if err != nil {
		return err
	}
	for _, r := range reports {
		c, view, err := about(ctx, s, member, r.ThreadID)
		if err != nil {
			return err
		}
		other, _ := view.Participant(r.OtherID)
		a.Reports = append(a.Reports, report{c, other.DisplayName(), string(r.Via), r.Reason, string(r.Status), r.CreatedAt})
	}
	waiting, err := s.HeldFor(ctx, member, maxDealings)
	if err != nil {
		return err
	}
	for _, h := range waiting {
		x := held{Came: h.HeldAt}
		if !h.ExpiresAt.IsZero() {
			x.Until = &h.ExpiresAt
		}
		alias, err := s.Alias(ctx, h.AliasID)
		if err == nil {
			x.conversation, _, err = about(ctx, s, member, alias.ThreadID)
		}
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		a.Held = append(a.Held, x)
	}
	return nil
}

// about says which conversation it is, as the member sees it.
func about(ctx context.Context, s *store.Store, member, thread threading.ID) (conversation, threading.ThreadView, error) {
	v, err := s.Thread(ctx, thread)
	if err != nil {
		return conversation{}, v, fmt.Errorf("read a conversation: %w", err)
	}
	c := conversation{Subject: v.Thread.Subject, With: []string{}}
	for _, p := range v.Participants {
		if p.ID != member {
			c.With = append(c.With, p.DisplayName())
		}
	}
	return c, v, nil
}
