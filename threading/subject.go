package threading

import "strings"

// BaseSubject returns what is left of a folded subject without the marks of
// replies and forwards, and whether it had any (RFC 5256 section 2.1; step 1,
// decoding, comes before folding).
func BaseSubject(folded string) (base string, reply bool) {
	s := strings.TrimSpace(folded)
	for {
		for { // step 2
			cut, ok := strings.CutSuffix(s, "(fwd)")
			if !ok {
				break
			}
			s, reply = strings.TrimRight(cut, " "), true
		}
		for { // steps 3 to 5
			if rest, ok := cutReply(s); ok {
				s, reply = rest, true
				continue
			}
			if rest, ok := cutBlob(s); ok && rest != "" {
				s = rest
				continue
			}
			break
		}
		inner, ok := strings.CutPrefix(s, "[fwd:") // step 6
		if !ok || !strings.HasSuffix(inner, "]") {
			return s, reply
		}
		s, reply = strings.TrimSpace(strings.TrimSuffix(inner, "]")), true
	}
}

// cutReply removes blobs and one "re:", "fw:" or "fwd:" that follows them:
// subj-leader.
func cutReply(s string) (string, bool) {
	for {
		rest, ok := cutBlob(s)
		if !ok {
			break
		}
		s = rest
	}
	for _, mark := range []string{"re", "fwd", "fw"} {
		rest, ok := strings.CutPrefix(s, mark)
		if !ok {
			continue
		}
		rest = strings.TrimLeft(rest, " ")
		if after, ok := cutBlob(rest); ok {
			rest = after
		}
		if after, ok := strings.CutPrefix(rest, ":"); ok {
			return strings.TrimLeft(after, " "), true
		}
	}
	return "", false
}

// cutBlob removes "[...]" and the spaces after it: subj-blob.
func cutBlob(s string) (string, bool) {
	if !strings.HasPrefix(s, "[") {
		return s, false
	}
	end := strings.IndexAny(s[1:], "[]")
	if end < 0 || s[1+end] != ']' {
		return s, false
	}
	return strings.TrimLeft(s[2+end:], " "), true
}
