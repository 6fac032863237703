package senderauth

import (
	"strings"

	"github.com/emersion/go-msgauth/authres"
)

// trusted takes the verdict of the server in front. It adds its fields at the
// top (RFC 8601 section 4.1): only those above the first Received field but
// one, and with its authserv-id, are believed; a field with that id further
// down came with the message.
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
		who, results, err := authres.Parse(f.value)
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
	return aligned, policy
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
