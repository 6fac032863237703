package dns

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	mdns "github.com/miekg/dns"
)

// State is how a record stands in DNS.
type State string

// The states.
const (
	Right     State = "right"
	Missing   State = "missing"
	Different State = "different"
	Unknown   State = "unknown" // the resolver gave no answer
)

// Finding is what Check says of one record.
type Finding struct {
	Record
	State State    `json:"state"`
	Found []string `json:"found,omitempty"` // what DNS has in its place
	// Problem says in words what is wrong; empty when right.
	Problem string `json:"problem,omitempty"`
}

// Wrong reports whether something needs to be done: what is needed is not
// right, or what is optional is there and says something else. A hint is
// nothing that the domain's own zone needs.
func (f Finding) Wrong() bool {
	return f.State != Right && !f.Hint && !(f.Optional && f.State == Missing)
}

// Check asks for each record and returns a finding for each, in their order.
// server is the resolver as host:port; empty: the system's first. Hints
// without a name to ask for are left out. It takes at most about 15 seconds.
func Check(ctx context.Context, server string, records []Record) ([]Finding, error) {
	r, err := newResolver(server)
	if err != nil {
		return nil, err
	}
	var asked []Record
	for _, rec := range records {
		if !strings.HasPrefix(rec.Name, "(") && !strings.HasPrefix(rec.Value, "(") {
			asked = append(asked, rec)
		}
	}
	findings := make([]Finding, len(asked))
	var wg sync.WaitGroup
	limit := make(chan struct{}, 8)
	for i, rec := range asked {
		wg.Go(func() {
			limit <- struct{}{}
			findings[i] = check(ctx, r, rec)
			<-limit
		})
	}
	wg.Wait()
	return findings, nil
}

func check(ctx context.Context, r *resolver, rec Record) Finding {
	f := Finding{Record: rec}
	found, err := r.lookup(ctx, rec.Name, rec.Type)
	if err != nil {
		f.State, f.Problem = Unknown, err.Error()
		return f
	}
	if rec.Type == "TXT" {
		found = sameKind(rec.Value, found)
	}
	f.Found = found
	if len(found) == 0 && rec.Type == "SRV" && significant("SRV", rec.Value) == "." {
		f.State = Right // no record says "not offered" as well
		return f
	}
	if len(found) == 0 {
		f.State, f.Problem = Missing, "there is no such record"
		return f
	}
	f.State, f.Problem = compare(rec, found)
	return f
}

// sameKind keeps the texts that begin as the wanted one does (v=spf1): a
// name's other TXT records are somebody else's business. Below _domainkey all
// are of the kind: v= is optional there (RFC 6376 section 3.6.1).
func sameKind(want string, found []string) []string {
	if strings.HasPrefix(want, "v=DKIM1") {
		return found
	}
	kind := strings.ToLower(strings.FieldsFunc(want, func(r rune) bool { return r == ' ' || r == ';' })[0])
	return slices.DeleteFunc(found, func(s string) bool {
		rest, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(s)), kind)
		return !ok || rest != "" && rest[0] != ' ' && rest[0] != ';'
	})
}

func compare(rec Record, found []string) (State, string) {
	switch {
	case rec.Type == "TXT" && len(found) > 1:
		// RFC 7208 section 4.5, RFC 6376 section 3.6.2.2, RFC 7489 section 6.6.3.
		return Different, fmt.Sprintf("there are %d such records: receivers accept one only", len(found))
	case rec.Type == "TXT":
		return compareText(rec.Value, found[0])
	}
	want := significant(rec.Type, rec.Value)
	present := slices.ContainsFunc(found, func(s string) bool { return significant(rec.Type, s) == want })
	switch {
	case !present:
		return Different, "another value is published"
	case rec.Type == "MX" && len(found) > 1:
		return Different, "there are other MX records as well: mail that goes there does not come to this server"
	}
	return Right, ""
}

// compareText compares a policy record: by its tags where it has some
// (those it has beside ours, such as rua=, are its owner's choice), else by
// its words.
func compareText(want, got string) (State, string) {
	if !strings.Contains(want, ";") {
		if strings.EqualFold(strings.Join(strings.Fields(want), " "), strings.Join(strings.Fields(got), " ")) {
			return Right, ""
		}
		return Different, "another policy is published"
	}
	have := tags(got)
	for part := range strings.SplitSeq(want, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		other, ok := have[name]
		switch {
		case ok && other == value, !ok && defaultTag[name] == value:
		case name == "adkim" || name == "aspf": // relaxed holds as well for what we send
		case name == "p" && strings.HasPrefix(want, "v=DKIM1"):
			return Different, "another key is published: our signatures fail"
		case !ok:
			return Different, fmt.Sprintf("%s=%s is missing", name, value)
		default:
			return Different, fmt.Sprintf("%s=%s is published", name, other)
		}
	}
	return Right, ""
}

// defaultTag are the tags that may be left out (RFC 6376 section 3.6.1).
var defaultTag = map[string]string{"v": "DKIM1", "k": "rsa"}

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
