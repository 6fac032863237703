package threading

import (
	"errors"
	"time"
	_ "time/tzdata" // members' time zones, also where the system has none
)

// digestForm is how Member.DigestAt is written.
const digestForm = "15:04"

// CheckDigestAt says why s can't be the time of a daily digest, or returns nil.
func CheckDigestAt(s string) error {
	if _, err := time.Parse(digestForm, s); err != nil || len(s) != len(digestForm) {
		return errors.New("is not a time of day: write HH:MM, such as 08:00")
	}
	return nil
}

// CheckTimezone says why s can't be a time zone, or returns nil.
func CheckTimezone(s string) error {
	if _, err := time.LoadLocation(s); err != nil || s == "" || s == "Local" {
		return errors.New("is not a time zone: write a name such as Europe/Berlin")
	}
	return nil
}

// Location is the member's time zone; UTC where it is not known.
func (m Member) Location() *time.Location {
	loc, err := time.LoadLocation(m.Timezone)
	if err != nil || m.Timezone == "Local" {
		return time.UTC
	}
	return loc
}

// NextDigest is DigestAfter for a member who wants to be told once a day; the
// zero time for any other.
func (m Member) NextDigest(now, last time.Time) time.Time {
	if m.Alerts != AlertsDaily || m.Status == MemberRemoved {
		return time.Time{}
	}
	return m.DigestAfter(now, last)
}

// DigestAfter is when a daily digest is due: the first time after now at which
// clocks in the member's zone show DigestAt, on a later day than that of the
// last digest. A day on which clocks skip that time has its digest when they
// have skipped it; where they show it twice, it is sent once.
func (m Member) DigestAfter(now, last time.Time) time.Time {
	at, err := time.Parse(digestForm, m.DigestAt)
	if err != nil {
		at = time.Date(0, 1, 1, 8, 0, 0, 0, time.UTC)
	}
	loc := m.Location()
	y, mo, d := now.In(loc).Date()
	if !last.IsZero() {
		ly, lmo, ld := last.In(loc).Date()
		next := time.Date(ly, lmo, ld+1, 0, 0, 0, 0, time.UTC)
		if next.After(time.Date(y, mo, d, 0, 0, 0, 0, time.UTC)) {
			y, mo, d = next.Date()
		}
	}
	for {
		due := time.Date(y, mo, d, at.Hour(), at.Minute(), 0, 0, loc)
		if due.After(now) {
			return due
		}
		d++
	}
}
