package sanitize

import "bytes"

// rtfGroups are the groups of an RTF file that say who made it and who worked
// on it, and other programs' data.
var rtfGroups = [][]byte{
	[]byte(`{\info`), []byte(`{\*\revtbl`), []byte(`{\*\userprops`), []byte(`{\*\company`), []byte(`{\*\manager`), []byte(`{\*\xmlnstbl`), []byte(`{\*\datastore`),
	[]byte(`{\*\atnauthor`), []byte(`{\*\atnid`), []byte(`{\*\template`), []byte(`{\*\docvar`), []byte(`{\*\protusertbl`), []byte(`{\*\fsnetwork`), []byte(`{\*\passwordhash`), []byte(`{\*\mailmerge`),
}

// stripRTF overwrites such groups by spaces; what stands on the pages stays
// octet for octet, and counts as typed.
func (a *attachment) stripRTF(b []byte) []byte {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '{')
		if i < 0 {
			break
		}
		at += i
		for _, g := range rtfGroups {
			if bytes.HasPrefix(b[at:], g) && (len(b) == at+len(g) || b[at+len(g)] < 'a' || b[at+len(g)] > 'z') {
				end := at + rtfGroupEnd(b[at:])
				// The table of revisers is counted by the text: names go, places stay.
				blankRTFGroup(b[at:end])
				at = end - 1
				break
			}
		}
		at++
	}
	if a.reads() {
		a.shown = a.shown || a.holds(rtfText(b))
	}
	return b
}

// blankRTFGroup makes spaces of a group. In the table of revisers each entry
// stays, as the text counts them.
func blankRTFGroup(g []byte) {
	if !bytes.HasPrefix(g, []byte(`{\*\revtbl`)) {
		fill(g)
		return
	}
	for i := len(`{\*\revtbl`); i < len(g); i++ {
		if c := g[i]; c != '{' && c != '}' && c != ';' {
			g[i] = ' '
		}
	}
}

// rtfGroupEnd is where the group at the start of b ends.
func rtfGroupEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

// rtfText is the text of an RTF file without its control words.
func rtfText(b []byte) []byte {
	out := make([]byte, 0, len(b)/2)
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '{' || c == '}' || c == '\r' || c == '\n':
		case c != '\\':
			out = append(out, c)
		case i+3 < len(b) && b[i+1] == '\'' && unhex(b[i+2]) >= 0 && unhex(b[i+3]) >= 0:
			out = append(out, byte(unhex(b[i+2])<<4|unhex(b[i+3])))
			i += 3
		case i+1 < len(b) && (b[i+1]|0x20 < 'a' || b[i+1]|0x20 > 'z'):
			out = append(out, b[i+1])
			i++
		default:
			for i+1 < len(b) && (b[i+1]|0x20 >= 'a' && b[i+1]|0x20 <= 'z' || b[i+1] >= '0' && b[i+1] <= '9' || b[i+1] == '-') {
				i++
			}
			if i+1 < len(b) && b[i+1] == ' ' {
				i++
			}
		}
	}
	return out
}
