package sanitize

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
)

// minPacked is the shortest run of base64 that could hold an address.
const minPacked = 24

// findPacked looks into blocks of base64 and uuencode that stand in a text: a
// message quoted undecoded, an old client's attachment.
func (id *identity) findPacked(list []match, s string) []match {
	run := 0 // length of the base64 run that ends before i
	start := 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) {
			c := s[i]
			if isBase64Table[c] {
				if run == 0 {
					start = i
				}
				run++
				continue
			}
			if run > 0 && (c == '\n' || c == '\r') && run >= 16 {
				// The next line goes on, behind its quote marks.
				for i+1 < len(s) && strings.IndexByte("\n\r> ", s[i+1]) >= 0 {
					i++
				}
				continue
			}
		}
		if run >= minPacked && id.inBase64(s[start:i]) {
			for i < len(s) && s[i] == '=' {
				i++
			}
			list = append(list, match{start: start, end: i, kind: matchPacked})
		}
		run = 0
	}
	return id.findUU(list, s)
}

// inBase64 reports whether a run of base64 holds an identifier, wherever in
// it the encoding began.
func (id *identity) inBase64(run string) bool {
	clean := make([]byte, 0, len(run))
	for i := 0; i < len(run); i++ {
		if isBase64Table[run[i]] {
			clean = append(clean, run[i])
		}
	}
	for off := 0; off < 4 && off < len(clean); off++ {
		part := clean[off:]
		raw := make([]byte, 0, len(part)/4*3+3)
		if len(part)%4 == 1 {
			part = part[:len(part)-1]
		}
		raw, err := base64.RawStdEncoding.AppendDecode(raw, part)
		if err != nil && len(raw) == 0 {
			continue
		}
		if id.inOctets(raw) {
			return true
		}
	}
	return false
}

// findUU finds uuencoded files that hold an identifier.
func (id *identity) findUU(list []match, s string) []match {
	for off := 0; ; {
		i := strings.Index(s[off:], "begin ")
		if i < 0 {
			return list
		}
		start := off + i
		off = start + 6
		nl := strings.IndexByte(s[start:], '\n')
		if nl < 0 || nl > 300 || start+9 > len(s) || unhex(s[start+6]) < 0 || unhex(s[start+7]) < 0 || unhex(s[start+8]) < 0 {
			continue
		}
		var raw []byte
		end := start + nl + 1
		for line := range strings.SplitAfterSeq(s[end:], "\n") {
			end += len(line)
			line = strings.TrimRight(line, "\r\n")
			for strings.HasPrefix(line, ">") && (len(line) < 2 || line[1] == ' ' || line[1] == '>') {
				line = strings.TrimPrefix(line[1:], " ")
			}
			if line == "end" || strings.TrimSpace(line) == "end" {
				break
			}
			raw = appendUULine(raw, []byte(line))
		}
		if id.inOctets(raw) {
			list = append(list, match{start: start, end: end, kind: matchPacked})
		}
		off = end
	}
}

// inOctets reports whether an address of the writer's, or one that the relay
// issued, stands in octets that are no text: as ASCII, as UTF-16, with or
// without what comes before or after it.
func (id *identity) inOctets(b []byte) bool {
	if !mayHoldAt(b) {
		return false
	}
	if len(b) > 2*scanKeep { // a file: only around what could be a domain
		scan := scanner{id: id, w: io.Discard}
		_, _ = scan.Write(b)
		return scan.found
	}
	var v view
	narrow := bytes.ReplaceAll(b, []byte{0}, nil)
	for _, text := range [][]byte{b, narrow} {
		v.read(string(text))
		for i := range id.domains {
			d := &id.domains[i]
			found := false
			eachIndex(v.b, d.name, func(i int) {
				if i > 1 && (v.b[i-1] == '@' || v.b[i-1] == '=') {
					for _, local := range d.locals {
						found = found || localAnywhere(v.b, i-1, local)
					}
				}
			})
			if found {
				return true
			}
		}
		if len(id.relay) > 0 {
			found := false
			eachIndex(v.b, append([]byte("@"), id.relay...), func(i int) {
				local := v.b[max(0, i-64):i]
				found = found || bytes.Contains(local, []byte("t-")) || bytes.Contains(local, []byte("b-"))
			})
			if found {
				return true
			}
		}
		if len(narrow) == len(b) {
			break
		}
	}
	return false
}

// localAnywhere matches a local part, dots ignored, before end, directly or
// with a +tag between; what comes before it does not matter.
func localAnywhere(b []byte, end int, local string) bool {
	if localEnds(b, end, local) {
		return true
	}
	for t := end - 1; t > 0 && t >= end-80 && isAtext(b[t], false); t-- {
		if b[t] == '+' && localEnds(b, t, local) {
			return true
		}
	}
	return false
}

func localEnds(b []byte, end int, local string) bool {
	k := end
	for n := len(local); n > 0; {
		if k == 0 {
			return false
		}
		k--
		switch b[k] {
		case local[n-1]:
			n--
		case '.':
		default:
			return false
		}
	}
	return true
}

// mayHoldAt reports whether octets can be read as text with an @, or the = of
// a VERP address, in it.
func mayHoldAt(b []byte) bool {
	for _, c := range []byte("@=%&\\") {
		if bytes.IndexByte(b, c) >= 0 {
			return true
		}
	}
	return bytes.Contains(b, []byte("\uFF20")) || bytes.Contains(b, []byte("\uFE6B"))
}
