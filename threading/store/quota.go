package store

import (
	"context"

	"github.com/stagedoor/stagedoor/threading"
)

// Usage is what a member's mailboxes take up, in octets, and how much they may;
// zero: as much as they like. What is in two mailboxes counts twice, as clients
// see it. The relay files messages beyond the quota too: that it is used up is
// said to the member's client, not to those who write to the member.
func (s *Store) Usage(ctx context.Context, memberID threading.ID) (octets, quota int64, err error) {
	err = s.row(ctx, "SELECT octets FROM member_state WHERE member_id = ?", []any{memberID}, &octets)
	return octets, s.o.Quota, err
}

// grow notes that a member's entries take up more octets, or fewer. It is
// written with the mod-sequence if it comes before, else at the job's end.
func (t *tx) grow(member threading.ID, octets int64) {
	if octets == 0 {
		return
	}
	if t.grown == nil {
		t.grown = map[threading.ID]int64{}
	}
	t.grown[member] += octets
}

// settle writes what grew and is not written yet.
func (t *tx) settle() error {
	for member, octets := range t.grown {
		if octets == 0 {
			continue
		}
		if _, err := t.exec("UPDATE member_state SET octets = octets + ? WHERE member_id = ?", octets, member); err != nil {
			return err
		}
	}
	return nil
}

// checkQuota returns ErrQuota if there is no room for so many octets more.
func (t *tx) checkQuota(quota int64, member threading.ID, octets int64) error {
	if quota <= 0 {
		return nil
	}
	var used int64
	if err := t.row("SELECT octets FROM member_state WHERE member_id = ?", []any{member}, &used); err != nil {
		return err
	}
	if used+t.grown[member]+octets > quota {
		return ErrQuota
	}
	return nil
}
