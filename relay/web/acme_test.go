package web

import "testing"

func TestTheChallengeIsAtItsToken(t *testing.T) {
	b := newBrowser(t)
	b.open("/.well-known/acme-challenge/abc", nil, 404)
	b.s.o.Challenge = func(token string) (string, bool) { return token + ".proof", token == "abc" }
	if got := b.open("/.well-known/acme-challenge/abc", nil, 200); got != "abc.proof" {
		t.Errorf("%q", got)
	}
	b.open("/.well-known/acme-challenge/def", nil, 404)
}
