package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// NewMember is a member to be put on the roster.
type NewMember struct {
	threading.Member          // what is empty gets its default, or stays as it is
	Addresses        []string // real ones; the first is the primary one
	Verifier         string   // of the password; empty: none
}

// Enrolment says what PutMembers did with a member.
type Enrolment int

// What becomes of a NewMember.
const (
	EnrolRefused Enrolment = iota // for the reason that stands beside
	EnrolAdded
	EnrolPresent // there already; nothing was changed
	EnrolUpdated
)

// Enrolled is the outcome for one NewMember. Err names no address.
type Enrolled struct {
	Enrolment
	Err error
}

// Errors of PutMembers.
var (
	ErrHandleTaken  = fmt.Errorf("the handle belongs to a member with another address: %w", ErrExists)
	ErrAddressTaken = fmt.Errorf("an address is registered with another member: %w", ErrExists)
)

// errTrial undoes a transaction that was only tried.
var errTrial = errors.New("only tried")

// PutMembers puts members on the roster in one transaction. A member is known
// by the handle and one of the addresses: one who is there already stays as
// they are or, with update, gets the name, settings and password that are given,
// and the addresses beside those they have. One that can't be added is left out,
// and its outcome says why; the others are added. With trial all is only tried.
// ErrExists is in each refusal that is due to another member.
func (s *Store) PutMembers(ctx context.Context, list []NewMember, update, trial bool) ([]Enrolled, error) {
	out := make([]Enrolled, len(list))
	rows := make([]memberRow, len(list))
	for i, n := range list {
		rows[i], out[i].Err = s.newMemberRow(n.Member, n.Addresses)
		rows[i].bad = out[i].Err != nil
		rows[i].given, rows[i].verifier, rows[i].credential = n.Member, n.Verifier, s.o.IDs.Next()
	}
	err := s.c.commit(ctx, func(t *tx) error {
		for i := range rows {
			if rows[i].bad {
				continue
			}
			enrolment, err := t.putMember(s, &rows[i], update)
			if err != nil && !errors.Is(err, ErrExists) {
				return err
			}
			out[i] = Enrolled{enrolment, err}
		}
		if trial {
			return errTrial
		}
		return nil
	})
	if err != nil && !errors.Is(err, errTrial) {
		return nil, fmt.Errorf("put members on the roster: %w", err)
	}
	return out, nil
}

// putMember writes a member as if nobody knew them, and looks closer only where
// something is in the way.
func (t *tx) putMember(s *Store, r *memberRow, update bool) (Enrolment, error) {
	taken := t.addMember(r)
	switch {
	case taken == nil:
		return EnrolAdded, t.addPassword(r, r.ID)
	case !errors.Is(taken, ErrExists):
		return EnrolRefused, taken
	}
	for _, undo := range []string{"DELETE FROM addresses WHERE member_id = ?", "DELETE FROM members WHERE id = ?", "DELETE FROM member_state WHERE member_id = ?"} {
		if _, err := t.exec(undo, r.ID); err != nil {
			return EnrolRefused, err
		}
	}
	old, err := scanOne(scanMember(txRow{t, "SELECT " + memberColumns + " FROM members m WHERE m.handle = ?", []any{r.Handle}}))
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return EnrolRefused, err
	}
	var theirs []bool // of each address: it is the member's already
	one := false
	for _, a := range r.addresses {
		var owner threading.ID
		err := t.row("SELECT member_id FROM addresses WHERE hash = ?", []any{a.hash}, &owner)
		switch {
		case errors.Is(err, ErrNotFound):
			theirs = append(theirs, false)
		case err != nil:
			return EnrolRefused, err
		case known && owner == old.ID:
			theirs, one = append(theirs, true), true
		default:
			return EnrolRefused, ErrAddressTaken
		}
	}
	switch {
	case !known:
		return EnrolRefused, taken // it looks like another's
	case !one:
		return EnrolRefused, ErrHandleTaken
	case !update:
		return EnrolPresent, nil
	}
	return EnrolUpdated, t.updateMember(s, old, r, theirs)
}

// updateMember changes what is given, and adds the addresses that are not there.
func (t *tx) updateMember(s *Store, m threading.Member, r *memberRow, theirs []bool) error {
	g := r.given
	m.Name = r.Name
	if g.Alerts != "" {
		m.Alerts = g.Alerts
	}
	if g.DigestAt != "" {
		m.DigestAt = g.DigestAt
	}
	if g.Timezone != "" {
		m.Timezone = g.Timezone
	}
	if g.FirstContact != "" {
		m.FirstContact = g.FirstContact
	}
	if g.Language != "" {
		m.Language = g.Language
	}
	if err := t.setMember(m, s.o.Now()); err != nil {
		return err
	}
	for i, a := range r.addresses {
		if !theirs[i] {
			if err := t.addAddress(m.ID, a, false); err != nil {
				return err
			}
		}
	}
	if err := t.setPrimary(m.ID, r.addresses[0].hash); err != nil {
		return err
	}
	return t.addPassword(r, m.ID)
}

// addPassword sets the password whose verifier came with the member.
func (t *tx) addPassword(r *memberRow, member threading.ID) error {
	if r.verifier == "" {
		return nil
	}
	return t.setCredential(r.credential, threading.Credential{MemberID: member, Kind: threading.CredentialPassword, Label: "password", Verifier: r.verifier}, millis(r.CreatedAt))
}

// txRow is a row that is read when it is scanned.
type txRow struct {
	t     *tx
	query string
	args  []any
}

// Scan implements scanner.
func (r txRow) Scan(dest ...any) error { return r.t.row(r.query, r.args, dest...) }

// memberRow is a member with everything hashed, sealed and numbered before the
// committer gets it.
type memberRow struct {
	threading.Member
	skeleton   string // of the handle
	addresses  []addressRow
	mailboxes  []any
	given      threading.Member // without defaults
	verifier   string
	credential threading.ID
	bad        bool // it failed the check
}

// newMemberRow checks a member and fills in what is empty.
func (s *Store) newMemberRow(m threading.Member, addresses []string) (memberRow, error) {
	r := memberRow{Member: m}
	if err := threading.CheckHandle(m.Handle); err != nil {
		return r, fmt.Errorf("the handle %w", err)
	}
	if err := threading.CheckName(m.Name); err != nil {
		return r, fmt.Errorf("the name %w", err)
	}
	if len(addresses) == 0 {
		return r, errors.New("a member needs at least one real address")
	}
	r.ID, r.CreatedAt = s.o.IDs.Next(), s.o.Now().UTC().Truncate(time.Millisecond)
	if r.Status == "" {
		r.Status = threading.MemberActive
	}
	if r.Alerts == "" {
		r.Alerts = threading.AlertsImmediate
	}
	if r.DigestAt == "" {
		r.DigestAt = "08:00"
	}
	if r.Timezone == "" {
		r.Timezone = "UTC"
	}
	if r.FirstContact == "" {
		r.FirstContact = threading.FirstContactAnyone
	}
	r.skeleton = threading.Skeleton(m.Handle)
	for _, a := range addresses {
		row, err := s.newAddressRow(a)
		if err != nil {
			return r, err
		}
		if !slices.ContainsFunc(r.addresses, func(b addressRow) bool { return bytes.Equal(b.hash, row.hash) }) {
			r.addresses = append(r.addresses, row)
		}
	}
	for _, std := range threading.StandardMailboxes {
		b := s.newMailbox(r.ID, std.Name, std.Use)
		r.mailboxes = append(r.mailboxes, b.MemberID, b.ID, b.Name, b.Use, b.UIDValidity, b.UIDNext, b.Subscribed, firstModSeq)
	}
	return r, nil
}

// firstModSeq is a new member's mod-sequence: to make the mailboxes was a change.
const firstModSeq = 2

// insertMailboxes writes all mailboxes of a new member at once.
var insertMailboxes = "INSERT INTO mailboxes (member_id, id, name, special_use, uidvalidity, uidnext, subscribed, expunged_from) VALUES " +
	strings.Repeat("(?, ?, ?, ?, ?, ?, ?, ?), ", len(threading.StandardMailboxes)-1) + "(?, ?, ?, ?, ?, ?, ?, ?)"

// addMember writes a member who is not there yet. ErrExists, wrapped, says what
// is taken.
func (t *tx) addMember(r *memberRow) error {
	m := &r.Member
	if err := t.looksLike(m.Handle, r.skeleton); err != nil {
		return err
	}
	n, err := t.exec("INSERT INTO members (id, handle, name, status, alerts, digest_at, timezone, created_at, digest_due, digest_since, first_contact, skeleton, language) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		m.ID, m.Handle, m.Name, m.Status, m.Alerts, m.DigestAt, m.Timezone, millis(m.CreatedAt), digestDue(m.NextDigest(m.CreatedAt, time.Time{})), millis(m.CreatedAt), m.FirstContact, r.skeleton, m.Language)
	if err == nil && n == 0 {
		err = fmt.Errorf("the handle %s is taken: %w", m.Handle, ErrExists)
	}
	if err != nil {
		return err
	}
	if _, err := t.exec("INSERT INTO member_state (member_id, modseq) VALUES (?, ?)", m.ID, firstModSeq); err != nil {
		return err
	}
	for i, a := range r.addresses {
		if err := t.addAddress(m.ID, a, i == 0); err != nil {
			return err
		}
	}
	_, err = t.exec(insertMailboxes, r.mailboxes...)
	return err
}
