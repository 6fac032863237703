package threading

import (
	"errors"
	"time"
)

// MemberStatus says whether a member takes part.
type MemberStatus string

// The states of a member. A removed member keeps its row (threads refer to
// it) but has no address, credential or mailbox, and is shown as FormerMember.
const (
	MemberActive    MemberStatus = "active"
	MemberSuspended MemberStatus = "suspended"
	MemberRemoved   MemberStatus = "removed"
)

// FormerMember is the display name of a removed member.
const FormerMember = "Former member"

// Alerts says when a member is told, at the real address, of new messages.
type Alerts string

// The alert settings.
const (
	AlertsImmediate Alerts = "immediate" // each message is mailed as it comes
	AlertsDaily     Alerts = "daily"     // once a day, at Member.DigestAt
	AlertsNever     Alerts = "never"
	AlertsUsual     Alerts = "" // of one thread: as Member.Alerts says
)

// Known reports whether it is a setting that a member can have.
func (a Alerts) Known() bool {
	return a == AlertsImmediate || a == AlertsDaily || a == AlertsNever
}

// CheckAlerts says why s can't be an alert setting, or returns nil.
func CheckAlerts(s string) error {
	if !Alerts(s).Known() {
		return errors.New("is no alert setting: write immediate, daily or never")
	}
	return nil
}

// FirstContact says which first messages a member takes from others, whom they
// have not written to themselves.
type FirstContact string

// CheckFirstContact checks a first contact setting.
func CheckFirstContact(s string) error {
	switch FirstContact(s) {
	case FirstContactAnyone, FirstContactOwn:
		return nil
	}
	return errors.New("is no setting of first contact: write anyone or own")
}

// The settings of first contact.
const (
	FirstContactAnyone FirstContact = "anyone"
	FirstContactOwn    FirstContact = "own" // only about the member's own productions and roles
)

// Member is a person on the platform.
type Member struct {
	ID        ID
	Handle    string // local part of the contact address, and login name
	Name      string // display name, shown to other members
	Status    MemberStatus
	Alerts    Alerts
	DigestAt  string // HH:MM in Timezone, for AlertsDaily
	Timezone  string // IANA name
	Language  string // BCP 47 tag of what is written to the member; empty: the installation's
	CreatedAt time.Time
	// FirstContact is which first messages the member takes.
	FirstContact FirstContact
}

// Takes reports whether the member takes a first message about a production,
// which may be none.
func (m Member) Takes(p Production) bool {
	return m.FirstContact != FirstContactOwn || p.ID != 0 && p.OwnerID == m.ID
}

// DisplayName is what others see: the name, or FormerMember once removed.
func (m Member) DisplayName() string {
	if m.Status == MemberRemoved {
		return FormerMember
	}
	return m.Name
}

// Address is one of a member's real addresses. Real is the secret: it is
// sealed in the store and must never reach a log, an error text or another
// member.
type Address struct {
	ID         ID
	MemberID   ID
	Real       string
	Primary    bool      // notifications go there; exactly one per member
	VerifiedAt time.Time // zero: not confirmed yet
	CreatedAt  time.Time
	// FailedAt is when mail to it came back for good; nothing is sent to it
	// since. Zero: it works. Failure says why, in words of our own.
	FailedAt time.Time
	Failure  string
}

// CredentialKind is how a credential proves its member.
type CredentialKind string

// The kinds of credential.
const (
	CredentialPassword CredentialKind = "password" // chosen by the member; argon2id verifier
	CredentialApp      CredentialKind = "app"      // made for one device; SCRAM-SHA-256 verifier
)

// Credential is something a member signs in with. Verifier never holds the
// secret itself.
type Credential struct {
	ID         ID
	MemberID   ID
	Kind       CredentialKind
	Label      string
	Verifier   string
	CreatedAt  time.Time
	LastUsedAt time.Time // zero: never; kept to the hour
}

// Production is what threads may be about: a play, a film.
type Production struct {
	ID        ID
	Slug      string
	Title     string
	OwnerID   ID
	CreatedAt time.Time
	// ClosedAt is when its conversations ended. Zero: it is open.
	ClosedAt time.Time
}

// Role is one role of a production.
type Role struct {
	ID           ID
	ProductionID ID
	Slug         string
	Title        string
	CreatedAt    time.Time
}
