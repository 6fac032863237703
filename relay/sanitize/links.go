package sanitize

import (
	"net/url"
	"strings"
)

// href decides about a link. One that holds an identifier goes, unless its
// writer typed it; one wrapped by a mail system's link scanner, which puts
// its user's address in, is unwrapped.
func (rw *rewriter) href(v string, typed, newLink bool) string {
	v = strings.TrimSpace(v)
	scheme, rest, ok := strings.Cut(v, ":")
	switch strings.ToLower(scheme) {
	case "http", "https", "mailto", "tel", "sms":
	case "cid":
		return rw.cidLink(rest)
	default:
		if strings.HasPrefix(v, "#") && len(rw.id.find(v)) == 0 {
			return v
		}
		return ""
	}
	if !ok {
		return ""
	}
	list := rw.id.find(v)
	bad := false
	for _, m := range list {
		switch m.kind {
		case matchAddress, matchPacked:
			bad = bad || !typed
		case matchDomain:
			bad = bad || !newLink
		default:
			bad = true
		}
	}
	if !bad {
		return v
	}
	return rw.unwrap(v, maxWraps)
}

// maxWraps is how many link scanners may have had a link in their hands.
const maxWraps = 4

// unwrap returns the link that a link holds in one of its parameters, as the
// link scanners of mail systems write it, if it has no identifier; else "".
func (rw *rewriter) unwrap(v string, depth int) string {
	u, err := url.Parse(v)
	if err != nil || depth == 0 {
		return ""
	}
	for pair := range strings.SplitSeq(u.RawQuery, "&") {
		_, value, _ := strings.Cut(pair, "=")
		inner, err := url.QueryUnescape(value)
		if err != nil || !strings.HasPrefix(inner, "http://") && !strings.HasPrefix(inner, "https://") || strings.ContainsAny(inner, " \t\r\n<>\"") {
			continue
		}
		if len(rw.id.find(inner)) == 0 {
			return inner
		}
		if inner = rw.unwrap(inner, depth-1); inner != "" {
			return inner
		}
	}
	return ""
}

// cidLink rewrites a link to another part.
func (rw *rewriter) cidLink(id string) string {
	if s, err := url.PathUnescape(id); err == nil {
		id = s
	}
	return "cid:" + rw.contentID(id)
}
