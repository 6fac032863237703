package store

import (
	"context"
	"fmt"
	"time"
)

const sealedPolicy = "sts-policy" // hash use of domains, and seal of policies

// STSPolicy is an MTA-STS policy of a domain that mail goes to, as it was
// fetched.
type STSPolicy struct {
	ID        string // that its DNS record announced
	Text      string
	FetchedAt time.Time
	ExpiresAt time.Time
}

// STSPolicy returns the policy that was kept for a domain. ErrNotFound. The
// domain of a real address is part of it: it is found by keyed hash, and the
// policy, which names it, is sealed.
func (s *Store) STSPolicy(ctx context.Context, domain string) (STSPolicy, error) {
	var p STSPolicy
	var sealed []byte
	var fetched, expires int64
	err := s.row(ctx, "SELECT policy_id, sealed, fetched_at, expires_at FROM sts_policies WHERE hash = ?",
		[]any{s.o.Keyring.Hash(sealedPolicy, domain)}, &p.ID, &sealed, &fetched, &expires)
	if err != nil {
		return p, err
	}
	p.FetchedAt, p.ExpiresAt = fromMillis(fetched), fromMillis(expires)
	if p.Text, err = s.o.Keyring.Open(sealedPolicy, sealed); err != nil {
		return p, fmt.Errorf("read the MTA-STS policy: %w", err)
	}
	return p, nil
}

// KeepSTSPolicy keeps a domain's policy, in place of the one before.
func (s *Store) KeepSTSPolicy(ctx context.Context, domain string, p STSPolicy) error {
	hash, sealed := s.o.Keyring.Hash(sealedPolicy, domain), s.o.Keyring.Seal(sealedPolicy, p.Text)
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec(`INSERT INTO sts_policies (hash, policy_id, sealed, fetched_at, expires_at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (hash) DO UPDATE SET policy_id = excluded.policy_id, sealed = excluded.sealed, fetched_at = excluded.fetched_at, expires_at = excluded.expires_at`,
			hash, p.ID, sealed, millis(p.FetchedAt), millis(p.ExpiresAt))
		return err
	})
}
