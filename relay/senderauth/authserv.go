package senderauth

import (
	"strings"

	"github.com/emersion/go-msgauth/authres"
)

// trusted takes the verdict of the server in front. It adds its fields at the
// top (RFC 8601 section 4.1): only those above the first Received field but
// one, and with its authserv-id, are believed; a field with that id further
// down came with the message. Where DMARC failed for it, nothing else counts.
func trusted(header []field, id string, from addrSpec) (aligned bool, policy Policy) {
	received := 0
	for _, f := range header {
		if strings.EqualFold(f.name, "Received") {
			if received++; received > 1 {
				break
			}
		}
		if !strings.EqualFold(f.name, "Authentication-Results") {
			continue
		}
		value, ok := withoutComments(f.value)
		if !ok {
			continue
		}
		who, results, err := authres.Parse(value)
		if err != nil || !strings.EqualFold(who, id) {
			continue
		}
		for _, r := range results {
			ok, p := verdict(r, from)
			aligned = aligned || ok
			if p != PolicyAbsent {
				policy = p
			}
		}
	}
	return aligned && policy == PolicyAbsent, policy
}

// withoutComments takes the comments out of a field, and the quotes off its
// quoted strings (RFC 5322 section 3.2), in which only what is harmless stays:
// the sender chose some of them, such as the local part in smtp.mailfrom, and
// they must not be read as results. A quoted string counts in a comment as
// well, since servers repeat addresses there. It returns false if a comment or
// a quoted string does not end.
func withoutComments(value string) (string, bool) {
	var b strings.Builder
	depth, quoted := 0, false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case c == '\\' && (quoted || depth > 0):
			i++
		case c == '"':
			quoted = !quoted
		case quoted && depth > 0:
		case quoted:
			if !harmless(c) {
				c = '?'
			}
			b.WriteByte(c)
		case c == '(':
			depth++
			b.WriteByte(' ')
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String(), depth == 0 && !quoted
}

func harmless(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(".-_@+", c) >= 0
}

// verdict reads one result.
func verdict(r authres.Result, from addrSpec) (aligned bool, policy Policy) {
	switch r := r.(type) {
	case *authres.DMARCResult:
		d, err := canonicalDomain(r.From[strings.LastIndexByte(r.From, '@')+1:])
		if err != nil || d != from.domain {
			return false, PolicyAbsent
		}
		// Whoever fails where the server in front still accepts is not rejected
		// by the domain's own wish.
		if r.Value == authres.ResultFail {
			return false, PolicyQuarantine
		}
		return r.Value == authres.ResultPass, PolicyAbsent
	case *authres.DKIMResult:
		d := r.Domain
		if d == "" {
			d = r.Identifier[strings.LastIndexByte(r.Identifier, '@')+1:]
		}
		return r.Value == authres.ResultPass && sameOrganisation(d, from.domain), PolicyAbsent
	case *authres.SPFResult:
		return r.Value == authres.ResultPass && sameOrganisation(r.From[strings.LastIndexByte(r.From, '@')+1:], from.domain), PolicyAbsent
	}
	return false, PolicyAbsent
}
