package sanitize

import "strings"

// plainText rewrites a text/plain body. New text stays octet for octet, as
// far as the policy lets it; quoted text is redacted. In a foreign text,
// nothing is new.
func (rw *rewriter) plainText(s string, foreign bool) (string, error) {
	s, err := rw.withoutPGP(s)
	if err != nil {
		return "", err
	}
	s = apply(s, rw.footers(s, nil))
	list := rw.id.find(s)
	if len(list) == 0 {
		return s, nil
	}
	isNew := newText(nothingNew)
	if !foreign {
		isNew = newLinesOf(s, classify(s))
	}
	edits, err := rw.edits(s, list, isNew)
	if err != nil {
		return "", err
	}
	return apply(s, edits), nil
}

// withoutPGP takes inline OpenPGP armour off (RFC 9580 section 6.2): a
// signature no longer holds once the text is changed and names its key, a
// public key names its owner. What is encrypted can't be relayed.
func (rw *rewriter) withoutPGP(s string) (string, error) {
	if !strings.Contains(s, "-----BEGIN PGP ") {
		return s, nil
	}
	var b strings.Builder
	signed, dropping := false, false
	for line := range strings.SplitAfterSeq(s, "\n") {
		t := strings.TrimSpace(line)
		switch {
		case t == "-----BEGIN PGP MESSAGE-----":
			return "", errEncrypted
		case t == "-----BEGIN PGP SIGNED MESSAGE-----":
			signed = true
		case signed && strings.HasPrefix(t, "Hash: "):
		case strings.HasPrefix(t, "-----BEGIN PGP ") && strings.HasSuffix(t, "-----"):
			dropping = true
		case strings.HasPrefix(t, "-----END PGP ") && strings.HasSuffix(t, "-----"):
			dropping, signed = false, false
		case dropping:
		case signed && strings.HasPrefix(line, "- "): // dash-escaped
			b.WriteString(line[2:])
		default:
			b.WriteString(line)
		}
	}
	rw.repair("OpenPGP armour")
	return b.String(), nil
}

// enriched makes plain text of text/enriched (RFC 1896): "<<" is a "<", other
// commands go, single line breaks are spaces.
func enriched(s string) string {
	var b strings.Builder
	breaks, nofill, param := 0, 0, 0
	flush := func() {
		switch {
		case breaks == 0:
		case nofill > 0 || b.Len() == 0:
			b.WriteString(strings.Repeat("\n", breaks))
		case breaks == 1:
			b.WriteByte(' ')
		default:
			b.WriteString(strings.Repeat("\n", breaks-1))
		}
		breaks = 0
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\n':
			breaks++
		case strings.HasPrefix(s[i:], "<<"):
			flush()
			b.WriteByte('<')
			i++
		case s[i] == '<':
			end := strings.IndexByte(s[i:], '>')
			if end < 0 || end > 62 {
				flush()
				b.WriteByte('<')
				continue
			}
			switch strings.ToLower(s[i+1 : i+end]) {
			case "nofill":
				flush()
				nofill++
			case "/nofill":
				flush()
				nofill = max(0, nofill-1)
			case "param":
				param++
			case "/param":
				param = max(0, param-1)
			}
			i += end
		case param > 0:
		default:
			flush()
			b.WriteByte(s[i])
		}
	}
	flush()
	return b.String()
}
