package dns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	mdns "github.com/miekg/dns"
)

// compare says how what is published stands to what is wanted.
func (c *checker) compare(ctx context.Context, rec Record, found []string) (State, string) {
	switch {
	case rec.Type == "CAA":
		return c.compareCAA(ctx, rec, found)
	case len(found) == 0 && rec.Type == "SRV" && significant("SRV", rec.Value) == ".":
		return Right, "" // no record says "not offered" as well
	case len(found) == 0:
		return Missing, "there is no such record"
	case rec.Type == "TXT" && len(found) > 1:
		// RFC 7208 section 4.5, RFC 6376 section 3.6.2.2, RFC 7489 section 6.6.3.
		return Different, fmt.Sprintf("there are %d such records: receivers accept one only", len(found))
	case strings.HasPrefix(rec.Value, "v=spf1"):
		return c.compareSPF(ctx, rec, found[0])
	case rec.Type == "TXT":
		return compareTags(rec.Value, found[0])
	}
	want := significant(rec.Type, rec.Value)
	present := slices.ContainsFunc(found, func(s string) bool { return significant(rec.Type, s) == want })
	switch {
	case !present:
		return Different, shown(found) + " is published: another value than " + rec.Value
	case rec.Type == "MX" && len(found) > 1:
		return Different, "there are other MX records as well (" + shown(found) + "): mail that goes there does not come to this server"
	case rec.Type == "A" || rec.Type == "AAAA":
		for _, address := range found {
			if ip, err := netip.ParseAddr(address); err == nil && !slices.Contains(c.senders, ip) {
				return Different, address + " is published as well: who goes there does not come to this server (if it does, name it in dns.addresses)"
			}
		}
	}
	return Right, ""
}

// shown is what is published, as far as a line holds it.
func shown(found []string) string {
	const most = 200
	if text := strings.Join(found, ", "); len(text) <= most {
		return text
	}
	return strings.Join(found, ", ")[:most] + "…"
}

// compareTags compares a policy record by its tags. Those it has beside ours,
// such as rua=, are its owner's choice.
func compareTags(want, got string) (State, string) {
	have := tags(got)
	if strings.HasPrefix(want, "v=DKIM1") {
		return compareDKIM(tags(want), have)
	}
	for part := range strings.SplitSeq(want, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		other, ok := have[name]
		switch {
		case ok && other == value:
		case name == "adkim" || name == "aspf": // relaxed holds as well for what we send
		case name == "rua" && other != "": // somebody else reads the reports
		case !ok:
			return Different, fmt.Sprintf("%s=%s is missing", name, value)
		default:
			return Different, fmt.Sprintf("%s=%s is published in place of %s=%s", name, other, name, value)
		}
	}
	if pct := have["pct"]; pct != "" && pct != "100" {
		return Different, "pct=" + pct + " is published: the policy holds for a part of the mail only"
	}
	return Right, ""
}

// compareDKIM compares keys. What stands beside the key can make it void (RFC
// 6376 section 3.6.1).
func compareDKIM(want, have map[string]string) (State, string) {
	or := func(tag, otherwise string) string {
		if have[tag] == "" {
			return otherwise
		}
		return have[tag]
	}
	key, published := have["p"]
	switch {
	case or("v", "DKIM1") != "DKIM1":
		return Different, "v=" + have["v"] + " is published in place of v=DKIM1"
	case !published:
		return Different, "it holds no key (p=)"
	case key == "":
		return Different, "the key is withdrawn (p= is empty): our signatures fail"
	case or("k", "rsa") != want["k"]:
		return Different, fmt.Sprintf("k=%s is missing: the key is taken for another kind", want["k"])
	case strings.TrimRight(key, "=") != strings.TrimRight(want["p"], "="):
		return Different, fmt.Sprintf("another key is published (%d characters, ends in %s; ours has %d, ends in %s): our signatures fail", len(key), end(key), len(want["p"]), end(want["p"]))
	case have["h"] != "" && !slices.Contains(strings.Split(have["h"], ":"), "sha256"):
		return Different, "h=" + have["h"] + " leaves out sha256, which we sign with"
	case have["s"] != "" && !slices.Contains(strings.Split(have["s"], ":"), "*") && !slices.Contains(strings.Split(have["s"], ":"), "email"):
		return Different, "s=" + have["s"] + " says that the key is not for mail"
	case slices.Contains(strings.Split(have["t"], ":"), "y"):
		return Different, "t=y says that the signatures are a test: take it out"
	}
	return Right, ""
}

func end(s string) string { return s[max(0, len(s)-8):] }

// tags parses a tag-list (RFC 6376 section 3.2). White space inside a value
// has no meaning.
func tags(text string) map[string]string {
	m := map[string]string{}
	for part := range strings.SplitSeq(text, ";") {
		if name, value, ok := strings.Cut(part, "="); ok {
			m[strings.ToLower(strings.TrimSpace(name))] = strings.Join(strings.Fields(value), "")
		}
	}
	return m
}

// compareCAA looks whether the authority may issue. A name without records of
// its own has those of the next name above that has some (RFC 8659 section 3).
func (c *checker) compareCAA(ctx context.Context, rec Record, found []string) (State, string) {
	name := mdns.Fqdn(rec.Name)
	for len(found) == 0 {
		next, end := mdns.NextLabel(name, 0)
		if end {
			return Missing, "there is no such record: any authority may issue"
		}
		name = name[next:]
		var err error
		if found, err = c.r.lookup(ctx, name, "CAA"); err != nil {
			return Unknown, err.Error()
		}
	}
	ca := issuer(rec.Value)
	restricted := false
	for _, value := range found {
		if strings.Contains(strings.ToLower(value), " issue ") {
			restricted = true
			if issuer(value) == ca {
				return Right, ""
			}
		}
	}
	at := ""
	if name != mdns.Fqdn(rec.Name) {
		if !restricted {
			return Missing, "there is no such record: any authority may issue"
		}
		at = "at " + strings.TrimSuffix(name, ".") + ", "
	}
	return Different, at + shown(found) + " does not let " + ca + " issue: certificates can't be renewed"
}

// issuer is the authority's name in a CAA's value: 0 issue "name; parameters".
func issuer(value string) string {
	_, text, _ := strings.Cut(value, " ")
	_, text, _ = strings.Cut(text, " ")
	if plain, err := strconv.Unquote(text); err == nil {
		text = plain
	}
	name, _, _ := strings.Cut(text, ";")
	return strings.ToLower(strings.TrimSpace(name))
}

// significant is the part of a value that must be as we say: the preference
// of an only MX, and priority and weight of an only SRV, are of no matter.
func significant(typ, value string) string {
	f := strings.Fields(strings.ToLower(value))
	switch {
	case typ == "MX" && len(f) == 2:
		return mdns.Fqdn(f[1])
	case typ == "SRV" && len(f) == 4 && f[3] == ".":
		return "."
	case typ == "SRV" && len(f) == 4:
		return f[2] + " " + mdns.Fqdn(f[3])
	}
	return strings.ToLower(value)
}
