package sanitize

import (
	"bytes"
	"sort"
	"strings"
)

// matchKind is what was found.
type matchKind int

const (
	matchAddress matchKind = iota // a real address of the writer's
	matchRelay                    // an address that the relay issued, or a link of its
	matchDomain                   // a domain or host that points to the writer
	matchPacked                   // an identifier inside a block of base64 or uuencode
)

// match is a place in a text where an identifier stands.
type match struct {
	start, end int
	kind       matchKind
	link       bool // it is inside a URL, and covers it whole
}

// contains reports whether a text may hold an identifier: if not, find finds none.
func (id *identity) contains(v *view) bool {
	for i := range id.domains {
		if bytes.Contains(v.b, id.domains[i].name) {
			return true
		}
	}
	for _, h := range id.hosts {
		if bytes.Contains(v.b, h) {
			return true
		}
	}
	return len(id.relay) > 0 && bytes.Contains(v.b, id.relay) || len(id.link) > 0 && bytes.Contains(v.b, id.link)
}

// find returns the places in s where identifiers stand, in order and apart.
func (id *identity) find(s string) []match {
	id.held = false
	if len(s) < minPacked && !strings.ContainsAny(s, ".%&=\\+@:") && strings.IndexFunc(s, suspicious) < 0 {
		return nil // no point, nor anything that could stand for one
	}
	v := &id.scratch
	if cap(v.b) < len(s) {
		v.b = make([]byte, 0, len(s)+len(s)/8+64)
	}
	v.dropTags = false
	list := id.findIn(nil, v, s)
	if hasTag(s) {
		v.dropTags = true
		list = id.findIn(list, v, s)
	}
	list = id.findPacked(list, s)
	return merge(list)
}

// hasTag reports whether there is something in s that looks like a tag, and
// not like an address in angle brackets.
func hasTag(s string) bool {
	for i := strings.IndexByte(s, '<'); i >= 0; {
		if end := tagEnd(s, i); end > i && strings.IndexByte(s[i:end], '@') < 0 {
			return true
		}
		next := strings.IndexByte(s[i+1:], '<')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}

// suspicious are signs that another spelling of a point may have.
func suspicious(r rune) bool { return r >= 0x80 || r == 'o' || r == 'O' }

func (id *identity) findIn(list []match, v *view, s string) []match {
	v.mapped = false
	v.read(s)
	if !id.contains(v) {
		return list
	}
	id.held = true
	v.mapped = true
	v.read(s)
	for i := range id.domains {
		list = id.domains[i].find(list, v, s)
	}
	for _, h := range id.hosts {
		eachIndex(v.b, h, func(i int) {
			if standsAlone(v, i, i+len(h)) {
				list = append(list, hostMatch(v, s, i, i+len(h)))
			}
		})
	}
	return id.findRelay(list, v, s)
}

// eachIndex calls f with each place of sep in b.
func eachIndex(b, sep []byte, f func(i int)) {
	if len(sep) == 0 {
		return
	}
	for off := 0; ; {
		i := bytes.Index(b[off:], sep)
		if i < 0 {
			return
		}
		f(off + i)
		off += i + 1
	}
}

// find looks for the addresses at a domain, and for the domain alone.
func (d *domain) find(list []match, v *view, s string) []match {
	eachIndex(v.b, d.name, func(i int) {
		end := i + len(d.name)
		if start := d.addressStart(v, i); start >= 0 {
			m := match{start: int(v.from[start]), end: int(v.to[end-1]), kind: matchAddress}
			if v.b[i-1] == '=' { // VERP: jane=real.example@bounces.example
				for n := 0; n < maxName && end < len(v.b) && isAtext(v.b[end], true) && adjacent(v, end); n++ {
					end++
				}
				m.end = int(v.to[end-1])
			}
			for n := 0; n < maxName && end < len(v.b) && isAlnum(v.b[end]) && adjacent(v, end); n++ {
				m.end = int(v.to[end])
				end++
			}
			list = append(list, v.widen(m, s))
		} else if m, ok := d.rewritten(v, i, end); ok {
			list = append(list, v.widen(m, s))
		} else if d.personal && standsAlone(v, i, end) {
			list = append(list, hostMatch(v, s, i, end))
		}
	})
	return list
}

// rewritten matches what forwarders make of an address (SRS):
// SRS0=x=y=real.example=jane@forwarder.example, with the domain at [i, end).
func (d *domain) rewritten(v *view, i, end int) (match, bool) {
	if i == 0 || v.b[i-1] != '=' || end >= len(v.b) || v.b[end] != '=' {
		return match{}, false
	}
	at := end + 1
	for at < len(v.b) && at < end+maxName && isAtext(v.b[at], false) {
		at++
	}
	for _, local := range d.locals {
		if at < len(v.b) && v.b[at] == '@' && localEnds(v.b[end+1:at], tagStart(v.b[end+1:at]), local) {
			for n := 0; n < maxName && i > 0 && isAtext(v.b[i-1], false) && adjacent(v, i); n++ {
				i--
			}
			for at++; at < len(v.b) && isAtext(v.b[at], false) && adjacent(v, at); at++ {
			}
			return match{start: int(v.from[i]), end: int(v.to[at-1]), kind: matchAddress}, true
		}
	}
	return match{}, false
}

// tagStart is where the +tag of a local part begins, or its length.
func tagStart(local []byte) int {
	if i := bytes.IndexByte(local, '+'); i >= 0 {
		return i
	}
	return len(local)
}

// addressStart returns where an address begins whose domain is at i, or -1.
func (d *domain) addressStart(v *view, i int) int {
	at := i - 1
	if at < 1 || v.b[at] != '@' && v.b[at] != '=' {
		return -1
	}
	for at > 0 && strings.IndexByte(`"'`, v.b[at-1]) >= 0 {
		at--
	}
	for _, local := range d.locals {
		if k := localBefore(v, at, local); k >= 0 {
			return k
		}
		// With a +tag between.
		for t := at - 1; t > 0 && t >= at-80 && isAtext(v.b[t], false); t-- {
			if v.b[t] == '+' {
				if k := localBefore(v, t, local); k >= 0 {
					return k
				}
			}
		}
	}
	return -1
}

// localBefore matches a local part, dots ignored, that ends before end. It
// must not be the end of a longer one.
func localBefore(v *view, end int, local string) int {
	k := end
	for n := len(local); n > 0; {
		if k == 0 {
			return -1
		}
		k--
		switch v.b[k] {
		case local[n-1]:
			n--
		case '.':
		default:
			return -1
		}
	}
	if k > 0 && adjacent(v, k) {
		p := k - 1
		if v.b[p] == '.' && p > 0 && adjacent(v, p) {
			p--
		}
		if isAlnum(v.b[p]) || v.b[p] >= 0x80 || v.b[p] == '-' {
			return -1
		}
	}
	return k
}

// adjacent reports whether the view's byte i follows the one before it in the
// source without anything between, and as plainly written.
func adjacent(v *view, i int) bool {
	return v.from[i] <= v.to[i-1] && v.to[i-1]-v.from[i-1] < 2+3*b2i(v.b[i-1] >= 0x80)
}

func b2i(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

func isAlnum(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// isAtext reports whether c may stand in an address; at: the @ itself too.
func isAtext(c byte, at bool) bool {
	return isAlnum(c) || strings.IndexByte(".-_+=", c) >= 0 || c == '@' && at || c >= 0x80
}

// standsAlone reports whether a host name at [i, end) is not part of a longer
// word or of a name below another domain.
func standsAlone(v *view, i, end int) bool {
	if i > 0 && adjacent(v, i) && (isAlnum(v.b[i-1]) || v.b[i-1] == '-') {
		return false
	}
	return end >= len(v.b) || !adjacent(v, end) || !isAlnum(v.b[end]) && v.b[end] != '-'
}

// hostMatch is a host name with the names below it, and the local part before it.
func hostMatch(v *view, s string, i, end int) match {
	for n := 0; n < maxName && i > 0 && adjacent(v, i) && isAtext(v.b[i-1], true); n++ {
		i--
	}
	return v.widen(match{start: int(v.from[i]), end: int(v.to[end-1]), kind: matchDomain}, s)
}

// findRelay looks for addresses and links that the relay issued.
func (id *identity) findRelay(list []match, v *view, s string) []match {
	eachIndex(v.b, id.relay, func(i int) {
		if i == 0 || v.b[i-1] != '@' && v.b[i-1] != '=' {
			return
		}
		for k := i - 2; k >= 0 && k >= i-90 && isAtext(v.b[k], false); k-- {
			if v.b[k] == '-' && k > 0 && (v.b[k-1] == 't' || v.b[k-1] == 'b') &&
				(k == 1 || !adjacent(v, k-1) || v.b[k-2] == '=' || !isAtext(v.b[k-2], false)) && !spaced(s[v.from[k-1]:v.to[i-2]]) {
				end := i + len(id.relay)
				for n := 0; n < maxName && end < len(v.b) && isAlnum(v.b[end]) && adjacent(v, end); n++ {
					end++
				}
				list = append(list, v.widen(match{start: int(v.from[k-1]), end: int(v.to[end-1]), kind: matchRelay}, s))
				return
			}
		}
	})
	eachIndex(v.b, id.link, func(i int) {
		end := i + len(id.link)
		// The bare name of the relay's pages was issued to nobody.
		path := end < len(v.b) && (v.b[end] == '/' || v.b[end] == '?') && (i == 0 || v.b[i-1] != '@')
		if path && standsAlone(v, i, end) {
			m := match{start: int(v.from[i]), end: int(v.to[end-1]), kind: matchRelay, link: true}
			list = append(list, v.widenLink(m, s))
		}
	})
	return list
}

// spaced reports whether s has white space that is no line break: then it is
// not one wrapped address.
func spaced(s string) bool {
	for line := range strings.SplitSeq(s, "\n") {
		if strings.ContainsAny(strings.Trim(line, "> \t\r"), " \t") {
			return true
		}
	}
	return strings.ContainsAny(s, " \t") && !strings.Contains(s, "\n")
}

// merge sorts matches and joins those that overlap: the wider place, the
// weightier kind.
func merge(list []match) []match {
	if len(list) < 2 {
		return list
	}
	sort.Slice(list, func(i, j int) bool { return list[i].start < list[j].start })
	out := list[:1]
	for _, m := range list[1:] {
		last := &out[len(out)-1]
		if m.start >= last.end {
			out = append(out, m)
			continue
		}
		last.end = max(last.end, m.end)
		last.link = last.link || m.link
		if m.kind == matchRelay || last.kind == matchDomain {
			last.kind = m.kind
		}
	}
	return out
}
