package sanitize

import (
	"encoding/hex"
	"strings"
)

// noMailbox stands in a calendar where an address must stand (RFC 2606).
const noMailbox = "mailto:hidden@address.invalid"

// unfold joins the folded lines of iCalendar and vCard (RFC 5545 section 3.1,
// RFC 6350 section 3.2) and the soft breaks of vCard 2.1.
func unfold(s string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(s, "\n"), "\n") {
		if n := len(out); n > 0 && line != "" && (line[0] == ' ' || line[0] == '\t') {
			out[n-1] += line[1:]
		} else if n > 0 && strings.HasSuffix(out[n-1], "=") && strings.Contains(strings.ToUpper(out[n-1]), "QUOTED-PRINTABLE") {
			out[n-1] = strings.TrimSuffix(out[n-1], "=") + line
		} else {
			out = append(out, line)
		}
	}
	return out
}

// refold writes lines so that none is longer than 75 octets.
func refold(list []string) string {
	var b strings.Builder
	for _, line := range list {
		for limit := 75; len(line) > limit; limit = 74 {
			head := cutAt(line, limit)
			if head == "" {
				head = line[:limit]
			}
			b.WriteString(head + "\n ")
			line = line[len(head):]
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// splitContentLine cuts "NAME;PARAM=X:value" at the colon that is not quoted.
func splitContentLine(line string) (name string, list []string, value string) {
	quoted := false
	start := 0
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';' || c == ':':
			if name == "" && start == 0 {
				name = line[:i]
			} else {
				list = append(list, line[start:i])
			}
			if start = i + 1; c == ':' {
				return name, list, line[start:]
			}
		}
	}
	return "", nil, line
}

// calendar rewrites text/calendar. An organizer or attendee keeps the name
// and loses the address; a UID that gives something away becomes another, the
// same for the same.
func (rw *rewriter) calendar(s string) string {
	lines := unfold(s)
	out := lines[:0]
	for _, line := range lines {
		if len(rw.id.find(line)) == 0 {
			out = append(out, line)
			continue
		}
		name, list, value := splitContentLine(line)
		kept := list[:0]
		for _, p := range list {
			key, _, _ := strings.Cut(strings.ToUpper(p), "=")
			switch {
			case len(rw.id.find(p)) == 0:
				kept = append(kept, p)
			case key == "CN":
				kept = append(kept, `CN="`+strings.ReplaceAll(rw.id.name, `"`, "'")+`"`)
			}
		}
		hit := len(rw.id.find(value)) > 0
		switch {
		case !hit:
		case name == "":
			out = append(out, rw.clean(line))
			continue
		case strings.EqualFold(name, "ORGANIZER"), strings.EqualFold(name, "ATTENDEE"), strings.HasPrefix(strings.ToLower(value), "mailto:"):
			value = noMailbox
		case strings.HasSuffix(strings.ToUpper(name), "UID"):
			d := rw.digest("uid", value)
			value = hex.EncodeToString(d[:16])
		case strings.HasPrefix(strings.ToUpper(name), "X-"):
			continue
		default:
			value = rw.clean(value)
		}
		out = append(out, strings.Join(append([]string{rw.clean(name)}, kept...), ";")+":"+value)
	}
	return rw.clean(refold(out)) // what a line by itself did not show
}

// vcard rewrites text/vcard: what holds an identifier goes, except names and
// notes, which are redacted; keys go.
func (rw *rewriter) vcard(s string) string {
	var out []string
	for _, line := range unfold(s) {
		name, _, _ := splitContentLine(line)
		if _, after, ok := strings.Cut(name, "."); ok { // a group
			name = after
		}
		switch name = strings.ToUpper(name); name {
		case "KEY", "SOUND", "AGENT":
			continue
		case "FN", "N", "NOTE", "ORG", "TITLE", "NICKNAME", "ROLE":
			out = append(out, rw.clean(line))
		default:
			if len(rw.id.find(line)) == 0 {
				out = append(out, line)
			}
		}
	}
	return rw.clean(refold(out)) // what a line by itself did not show
}
