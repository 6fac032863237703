package threading

import (
	"testing"
	"time"
)

func TestNextDigest(t *testing.T) {
	at := func(s string) time.Time {
		t.Helper()
		v, err := time.Parse("2006-01-02 15:04 MST", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, c := range map[string]struct {
		zone, digest    string
		now, last, want string
	}{
		"later today":                          {"UTC", "08:00", "2026-03-01 07:59 UTC", "", "2026-03-01 08:00 UTC"},
		"tomorrow":                             {"UTC", "08:00", "2026-03-01 08:00 UTC", "", "2026-03-02 08:00 UTC"},
		"in the member's zone":                 {"America/New_York", "08:00", "2026-03-01 07:59 UTC", "", "2026-03-01 13:00 UTC"},
		"had one today":                        {"UTC", "10:00", "2026-03-01 09:00 UTC", "2026-03-01 08:00 UTC", "2026-03-02 10:00 UTC"},
		"had one yesterday":                    {"UTC", "10:00", "2026-03-01 09:00 UTC", "2026-02-28 10:00 UTC", "2026-03-01 10:00 UTC"},
		"the clock was ahead when it was made": {"UTC", "10:00", "2026-03-01 09:00 UTC", "2026-03-03 10:00 UTC", "2026-03-04 10:00 UTC"},
		"a time that clocks skip":              {"Europe/Berlin", "02:30", "2026-03-28 12:00 UTC", "", "2026-03-29 01:30 UTC"},
		"a time that comes twice, once":        {"Europe/Berlin", "02:30", "2026-10-25 00:31 UTC", "2026-10-25 00:30 UTC", "2026-10-26 01:30 UTC"},
		"over the end of a month":              {"UTC", "00:00", "2026-12-31 00:00 UTC", "", "2027-01-01 00:00 UTC"},
		"a zone that is not known":             {"Nowhere/Atall", "08:00", "2026-03-01 07:59 UTC", "", "2026-03-01 08:00 UTC"},
	} {
		m := Member{Alerts: AlertsDaily, DigestAt: c.digest, Timezone: c.zone}
		var last time.Time
		if c.last != "" {
			last = at(c.last)
		}
		if got := m.NextDigest(at(c.now), last); !got.Equal(at(c.want)) {
			t.Errorf("%s: %v, want %s", name, got.UTC(), c.want)
		}
	}
	if got := (Member{Alerts: AlertsNever, DigestAt: "08:00"}).NextDigest(time.Now(), time.Time{}); !got.IsZero() {
		t.Errorf("a member who wants none: %v", got)
	}
}

// Whatever the zone and the hour, there is one digest a day for years.
func TestOneDigestADay(t *testing.T) {
	for _, zone := range []string{"UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"} {
		for _, hour := range []string{"00:00", "00:30", "02:30", "12:00", "23:59"} {
			m := Member{Alerts: AlertsDaily, DigestAt: hour, Timezone: zone}
			now := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
			last := now
			for range 800 {
				next := m.NextDigest(now, last)
				if !next.After(now) || next.Sub(now) > 50*time.Hour {
					t.Fatalf("%s %s: after %v comes %v", zone, hour, now, next)
				}
				if day := "2006-01-02"; next.In(m.Location()).Format(day) == last.In(m.Location()).Format(day) {
					t.Fatalf("%s %s: two on %v", zone, hour, next)
				}
				now, last = next.Add(time.Minute), next
			}
		}
	}
}

func TestCheckDigest(t *testing.T) {
	for s, ok := range map[string]bool{"08:00": true, "23:59": true, "8:00": false, "24:00": false, "": false, "08:00:00": false, "-1:00": false} {
		if err := CheckDigestAt(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
	for s, ok := range map[string]bool{"Europe/Berlin": true, "UTC": true, "": false, "Local": false, "Mars/Olympus": false, "../etc/passwd": false} {
		if err := CheckTimezone(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}
