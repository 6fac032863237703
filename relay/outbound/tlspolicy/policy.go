package tlspolicy

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Mode is what a policy has senders do (RFC 8461 section 5).
type Mode string

// The modes.
const (
	ModeEnforce Mode = "enforce"
	ModeTesting Mode = "testing"
	ModeNone    Mode = "none"
)

// Bounds of a policy. A policy of 64 KiB holds some thousand MX patterns.
const (
	maxPolicySize = 64 << 10
	maxPatterns   = 1000
	// maxMaxAge is what RFC 8461 section 3.2 allows: about one year.
	maxMaxAge = 31557600 * time.Second
)

// Policy is an MTA-STS policy.
type Policy struct {
	Mode   Mode
	MX     []string // names, and patterns such as *.example.net; lower case
	MaxAge time.Duration
}

// ParsePolicy reads a policy (RFC 8461 section 3.2). Of a field that stands
// several times the first counts, mx excepted; what is not known is ignored.
func ParsePolicy(text string) (Policy, error) {
	if len(text) > maxPolicySize {
		return Policy{}, errors.New("it is longer than 64 KB")
	}
	var p Policy
	first := map[string]string{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if !ok {
			if strings.TrimSpace(line) != "" {
				return Policy{}, errors.New("a line is not KEY: VALUE")
			}
			continue
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if key == "mx" {
			p.MX = append(p.MX, canonical(value))
			if len(p.MX) > maxPatterns {
				return Policy{}, errors.New("it has too many mx fields")
			}
			continue
		}
		if _, again := first[key]; !again {
			first[key] = value
		}
	}
	return p.check(first)
}

func (p Policy) check(fields map[string]string) (Policy, error) {
	if fields["version"] != "STSv1" {
		return Policy{}, errors.New("its version is not STSv1")
	}
	switch p.Mode = Mode(fields["mode"]); p.Mode {
	case ModeEnforce, ModeTesting, ModeNone:
	default:
		return Policy{}, errors.New("its mode is none of enforce, testing and none")
	}
	seconds, err := strconv.ParseUint(fields["max_age"], 10, 64)
	if err != nil || len(fields["max_age"]) > 10 {
		return Policy{}, errors.New("its max_age is not a number of seconds")
	}
	p.MaxAge = maxMaxAge
	if seconds < uint64(maxMaxAge/time.Second) {
		p.MaxAge = time.Duration(seconds) * time.Second
	}
	if p.Mode != ModeNone && len(p.MX) == 0 {
		return Policy{}, errors.New("it names no mx")
	}
	for _, mx := range p.MX {
		if !isPattern(mx) {
			return Policy{}, errors.New("an mx is not a domain name")
		}
	}
	return p, nil
}

// isPattern: a domain name in A-labels, with "*." before it or without.
func isPattern(mx string) bool {
	labels := strings.Split(strings.TrimPrefix(mx, "*."), ".")
	if len(mx) > 253 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

// Matches reports whether a host is one that the policy names (RFC 8461
// section 4.1): a wildcard stands for one label.
func (p Policy) Matches(host string) bool {
	host = canonical(host)
	_, parent, _ := strings.Cut(host, ".")
	for _, mx := range p.MX {
		if suffix, wild := strings.CutPrefix(mx, "*."); wild && suffix == parent || mx == host {
			return true
		}
	}
	return false
}

// Text is the policy as it may be parsed again.
func (p Policy) Text() string { return strings.Join(p.lines(), "\n") + "\n" }

// lines are the policy's fields, one each, as reports want them (RFC 8460
// section 4.4).
func (p Policy) lines() []string {
	list := []string{"version: STSv1", "mode: " + string(p.Mode)}
	for _, mx := range p.MX {
		list = append(list, "mx: "+mx)
	}
	return append(list, "max_age: "+strconv.FormatInt(int64(p.MaxAge/time.Second), 10))
}

// parseRecord returns the id out of the TXT records at _mta-sts.DOMAIN. Unless
// exactly one of them is a policy record, and valid, there is no policy (RFC
// 8461 section 3.1).
func parseRecord(records []string) (id string, ok bool) {
	found := 0
	for _, r := range records {
		version, rest, _ := strings.Cut(r, ";")
		if strings.TrimRight(version, " \t") != "v=STSv1" {
			continue
		}
		if found++; found > 1 {
			return "", false
		}
		id, ok = recordID(rest)
	}
	return id, ok
}

func recordID(fields string) (string, bool) {
	for _, field := range strings.Split(fields, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		if strings.TrimSpace(name) != "id" {
			continue
		}
		value = strings.TrimSpace(value)
		valid := value != "" && len(value) <= 32 && strings.Trim(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == ""
		return value, valid
	}
	return "", false
}
