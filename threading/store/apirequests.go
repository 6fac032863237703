package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// KeepAnswers is how long an answer to the platform is given again.
const KeepAnswers = 24 * time.Hour

// Errors of ClaimRequest.
var (
	ErrOtherRequest = errors.New("the key belongs to another request")
	ErrUnderWay     = errors.New("the request is under way")
)

// KeptAnswer is an answer to a request of the platform's.
type KeptAnswer struct {
	Status   int
	Location string // one line
	Body     []byte // nil: none
}

const sealedAnswer = "api-answer" // the sealing context of answers

// ClaimRequest claims a key for a request, for the given time: whoever claims it
// does the request and calls KeepAnswer or ForgetRequest. If that was done it
// returns the answer. ErrUnderWay while another holds the claim, ErrOtherRequest
// if the key belongs to another request.
func (s *Store) ClaimRequest(ctx context.Context, key, request []byte, lease time.Duration) (kept *KeptAnswer, err error) {
	now := s.o.Now()
	err = s.c.commit(ctx, func(t *tx) error {
		kept = nil
		n, err := t.exec(`INSERT INTO api_requests (key, request, status, claimed_till, created_at) VALUES (?, ?, 0, ?, ?)
			ON CONFLICT (key) DO UPDATE SET request = excluded.request, status = 0, answer = NULL, claimed_till = excluded.claimed_till, created_at = excluded.created_at
			WHERE api_requests.created_at <= ? OR api_requests.status = 0 AND api_requests.claimed_till <= ? AND api_requests.request = excluded.request`,
			key, request, millis(now.Add(lease)), millis(now), millis(now.Add(-KeepAnswers)), millis(now))
		if err != nil || n > 0 {
			return err
		}
		var status int
		var was, sealed []byte
		if err := t.row("SELECT request, status, answer FROM api_requests WHERE key = ?", []any{key}, &was, &status, &sealed); err != nil {
			return err
		}
		switch {
		case string(was) != string(request):
			return ErrOtherRequest
		case status == 0:
			return ErrUnderWay
		}
		text, err := s.o.Keyring.Open(sealedAnswer, sealed)
		if err != nil {
			return err
		}
		kept = &KeptAnswer{Status: status}
		var body string
		kept.Location, body, _ = strings.Cut(text, "\n")
		if body != "" {
			kept.Body = []byte(body)
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrOtherRequest) && !errors.Is(err, ErrUnderWay) {
		err = fmt.Errorf("claim the request: %w", err)
	}
	return kept, err
}

// KeepAnswer keeps what was answered to the request that holds a key.
func (s *Store) KeepAnswer(ctx context.Context, key []byte, a KeptAnswer) error {
	sealed := s.o.Keyring.Seal(sealedAnswer, a.Location+"\n"+string(a.Body))
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE api_requests SET status = ?, answer = ? WHERE key = ?", a.Status, sealed, key)
		return err
	})
}

// ForgetRequest frees a key whose request did nothing.
func (s *Store) ForgetRequest(ctx context.Context, key []byte) error {
	return s.c.commit(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM api_requests WHERE key = ? AND status = 0", key)
		return err
	})
}
