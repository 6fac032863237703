package senderauth

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/authres"
)

// Bounds of a chain. RFC 8617 section 5.2 allows 50 sets; each costs a
// signature to verify, and forwarders that are trusted by name add few.
const (
	maxARCSets   = 50
	maxARCFields = 3 * maxARCSets
)

// chainStatus is what a message's ARC chain says (RFC 8617 section 4.4).
type chainStatus string

const (
	chainNone chainStatus = "none"
	chainPass chainStatus = "pass"
	chainFail chainStatus = "fail"
)

// arcSet is what one forwarder added (RFC 8617 section 4).
type arcSet struct{ results, message, seal *signedField }

// signedField is one field of a set.
type signedField struct {
	field
	tags map[string]string
	i    int
}

// arcNames are the fields of a set, in the order in which they are sealed.
var arcNames = [3]string{"ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"}

var errARC = errors.New("the ARC chain is broken")

// arcSets sorts the fields by instance. Any deviation breaks the chain (RFC
// 8617 section 5.2 step 3).
func arcSets(header []field) ([]arcSet, error) {
	var found [3]map[int]*signedField
	n := 0
	for _, f := range header {
		for kind, name := range arcNames {
			if !strings.EqualFold(f.name, name) {
				continue
			}
			if n++; n > maxARCFields {
				return nil, errARC
			}
			x, err := parseARCField(f, kind)
			if err != nil {
				return nil, err
			}
			if found[kind] == nil {
				found[kind] = map[int]*signedField{}
			}
			if found[kind][x.i] != nil {
				return nil, errARC
			}
			found[kind][x.i] = x
		}
	}
	size := len(found[0])
	if len(found[1]) != size || len(found[2]) != size || size > maxARCSets {
		return nil, errARC
	}
	sets := make([]arcSet, size)
	for k := range sets {
		sets[k] = arcSet{found[0][k+1], found[1][k+1], found[2][k+1]}
		if sets[k].results == nil || sets[k].message == nil || sets[k].seal == nil {
			return nil, errARC
		}
	}
	return sets, nil
}

func parseARCField(f field, kind int) (*signedField, error) {
	x := &signedField{field: f}
	instance := ""
	if kind == 0 { // RFC 8617 section 4.1.1: the instance, then RFC 8601's payload
		name, value, _ := strings.Cut(f.value, ";")
		tag, number, ok := strings.Cut(name, "=")
		if !ok || !strings.EqualFold(strings.TrimSpace(tag), "i") {
			return nil, errARC
		}
		instance, x.value = strings.TrimSpace(number), value
	} else {
		var err error
		if x.tags, err = tagList(f.value); err != nil {
			return nil, err
		}
		instance = x.tags["i"]
	}
	var err error
	if x.i, err = strconv.Atoi(instance); err != nil || x.i < 1 || x.i > maxARCSets || strings.HasPrefix(instance, "+") {
		return nil, errARC
	}
	return x, nil
}

// tagList reads a tag list (RFC 6376 section 3.2). White space within values is
// dropped where it can't mean anything.
func tagList(s string) (map[string]string, error) {
	tags := map[string]string{}
	parts := strings.Split(s, ";")
	for i, part := range parts {
		if strings.TrimSpace(part) == "" && i == len(parts)-1 {
			break // the last semicolon may end the list
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		if _, twice := tags[name]; !ok || twice || !isTagName(name) {
			return nil, errARC
		}
		tags[name] = strings.TrimSpace(value)
	}
	return tags, nil
}

func isTagName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && (s[0] > '9' && s[0] != '_')
}

// chain validates a message's chain (RFC 8617 section 5.2). temporary: a key
// could not be asked for.
func (c *Checker) chain(ctx context.Context, header []field, message func() io.Reader) (sets []arcSet, status chainStatus, temporary bool) {
	sets, err := arcSets(header)
	if err != nil {
		return nil, chainFail, false
	}
	if len(sets) == 0 {
		return nil, chainNone, false
	}
	for k, s := range sets {
		want := string(chainPass)
		if k == 0 {
			want = string(chainNone)
		}
		_, covers := s.seal.tags["h"]
		if !strings.EqualFold(s.seal.tags["cv"], want) || covers {
			return sets, chainFail, false
		}
	}
	last := sets[len(sets)-1].message
	if err := c.verifyMessage(ctx, last, header, message); err != nil {
		return sets, chainFail, errors.Is(err, errKeyTemporary)
	}
	for k := len(sets) - 1; k >= 0; k-- {
		if err := c.verifySeal(ctx, sets[:k+1]); err != nil {
			return sets, chainFail, errors.Is(err, errKeyTemporary)
		}
	}
	return sets, chainPass, false
}

// verifyMessage verifies an ARC-Message-Signature: a DKIM signature (RFC 6376)
// that has an instance instead of a version and covers no seal (RFC 8617
// section 4.1.2).
func (c *Checker) verifyMessage(ctx context.Context, s *signedField, header []field, message func() io.Reader) error {
	names := strings.Split(s.tags["h"], ":")
	from := false
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
		from = from || strings.EqualFold(names[i], "From")
		if strings.EqualFold(names[i], arcNames[2]) {
			return errARC
		}
	}
	if !from || expired(s.tags["x"], time.Now()) {
		return errARC
	}
	canon, err := canonicalizations(s.tags)
	if err != nil {
		return err
	}
	if _, partial := s.tags["l"]; partial {
		return errARC // as for DKIM: anybody could add to what is not covered
	}
	if err := verifyBody(message(), canon.body, s.tags["bh"]); err != nil {
		return err
	}
	var b strings.Builder
	for _, f := range chosen(header, names) {
		b.WriteString(canon.field(f) + "\r\n")
	}
	b.WriteString(canon.field(withoutSignature(s.field)))
	return c.verifySignature(ctx, s.tags, b.String())
}

// verifySeal verifies the last seal of the sets, which covers all of them (RFC
// 8617 section 5.1.1).
func (c *Checker) verifySeal(ctx context.Context, sets []arcSet) error {
	var b strings.Builder
	canon := canonicalization{relaxedHeader: true}
	for k, s := range sets {
		results := s.results.field
		results.value = results.unfolded()
		b.WriteString(canon.field(results) + "\r\n" + canon.field(s.message.field) + "\r\n")
		if k < len(sets)-1 {
			b.WriteString(canon.field(s.seal.field) + "\r\n")
		} else {
			b.WriteString(canon.field(withoutSignature(s.seal.field)))
		}
	}
	return c.verifySignature(ctx, sets[len(sets)-1].seal.tags, b.String())
}

// expired reports whether the time of an x= tag is over.
func expired(x string, now time.Time) bool {
	if x == "" {
		return false
	}
	t, err := strconv.ParseInt(x, 10, 64)
	return err != nil || now.Unix() > t
}

// arc reports whether a forwarder that the operator trusts vouches for From: a
// chain that holds, whose newest seal is the forwarder's, and whose newest
// results say that SPF or DKIM passed for an aligned domain when it came there.
func (c *Checker) arc(ctx context.Context, in Input, header []field, from addrSpec) (aligned, temporary bool) {
	if len(c.o.ARCSealers) == 0 {
		return false, false
	}
	sets, err := arcSets(header)
	if err != nil || len(sets) == 0 || !c.sealer(sets[len(sets)-1].seal.tags["d"]) {
		return false, false // nobody whom we would believe
	}
	sets, status, temporary := c.chain(ctx, header, in.Message)
	if status != chainPass {
		return false, temporary
	}
	value, ok := withoutComments(sets[len(sets)-1].results.value)
	if !ok {
		return false, false
	}
	_, results, err := authres.Parse(value)
	if err != nil {
		return false, false
	}
	failed := false
	for _, r := range results {
		ok, policy := verdict(r, from)
		aligned = aligned || ok
		failed = failed || policy != PolicyAbsent
	}
	return aligned && !failed, false
}

// sealer reports whether a domain is one whose seals are believed.
func (c *Checker) sealer(domain string) bool {
	d, err := canonicalDomain(domain)
	if err != nil {
		return false
	}
	for _, s := range c.o.ARCSealers {
		if t, err := canonicalDomain(s); err == nil && t == d {
			return true
		}
	}
	return false
}
