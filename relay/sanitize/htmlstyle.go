package sanitize

import "strings"

// inlineStyle keeps the declarations that only shape the text.
func (rw *rewriter) inlineStyle(s string) string {
	if !strings.ContainsAny(s, `\<@`) && !strings.Contains(s, "(") && !strings.Contains(s, "/*") && !strings.Contains(s, "osition") && !rw.mentions(s) {
		return s
	}
	var kept []string
	for d := range strings.SplitSeq(s, ";") {
		lower := strings.ToLower(d)
		if strings.TrimSpace(d) == "" || !safeCSS(lower) || strings.Contains(lower, "url(") || strings.Contains(lower, "position") || strings.Contains(d, "/*") || rw.mentions(d) {
			continue
		}
		kept = append(kept, strings.TrimSpace(d))
	}
	return strings.Join(kept, "; ")
}

func (rw *rewriter) mentions(s string) bool { return len(s) > 4 && len(rw.id.find(s)) > 0 }

// safeCSS reports whether a style, in lower case, has nothing that runs or
// loads something, or hides that it does.
func safeCSS(s string) bool {
	for _, bad := range []string{`\`, "<", "expression", "javascript", "behavior", "-moz-binding", "@import", "@charset"} {
		if strings.Contains(s, bad) {
			return false
		}
	}
	return true
}

// styleSheet keeps those of a style element's rules that are harmless.
func (rw *rewriter) styleSheet(s string) string {
	s = strings.NewReplacer("<!--", "", "-->", "").Replace(s)
	s = withoutComments(s)
	if rw.harmless(s) {
		return s
	}
	var b strings.Builder
	for s != "" {
		var rule string
		rule, s = cutRule(s)
		if rw.harmless(rule) {
			b.WriteString(rule)
		}
	}
	if !rw.harmless(b.String()) {
		return ""
	}
	return b.String()
}

// harmless reports whether rules only shape the text.
func (rw *rewriter) harmless(s string) bool {
	lower := strings.ToLower(s)
	return safeCSS(lower) && !strings.Contains(lower, "url(") && !rw.mentions(s)
}

// cutRule cuts the first rule from a style sheet: to the semicolon of a
// statement, or the brace that closes its block.
func cutRule(s string) (rule, rest string) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth <= 0 {
				return s[:i+1], s[i+1:]
			}
		case ';':
			if depth == 0 {
				return s[:i+1], s[i+1:]
			}
		}
	}
	return s, ""
}

func withoutComments(s string) string {
	if !strings.Contains(s, "/*") {
		return s
	}
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(s, "/*")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		if _, s, ok = strings.Cut(after, "*/"); !ok {
			return b.String()
		}
	}
}
