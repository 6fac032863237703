package sanitize

import (
	"encoding/base64"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// elementKind says how an element shapes the text.
type elementKind uint8

const (
	inline elementKind = 1 << iota
	block              // begins and ends a line
	void               // has no end tag
)

// elements are those that are written; all others lose their tags.
var elements = func() map[string]elementKind {
	m := map[string]elementKind{}
	for kind, list := range map[elementKind]string{
		inline: "a b i u s em strong small big sub sup font span code tt kbd samp var abbr acronym q cite del ins strike mark bdi bdo time ruby rt rp label",
		block: "html head body style div p center h1 h2 h3 h4 h5 h6 ul ol li dl dt dd table thead tbody tfoot tr td th caption colgroup " +
			"blockquote pre address section article header footer main nav aside figure figcaption details summary fieldset legend",
		block | void: "br hr",
		void:         "img col wbr",
	} {
		for name := range strings.FieldsSeq(list) {
			m[name] = kind
		}
	}
	return m
}()

var voidElements = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true, "input": true, "link": true, "meta": true,
	"param": true, "source": true, "track": true, "wbr": true, "bgsound": true, "frame": true, "keygen": true,
}

// What becomes of the content of elements that are left out.
const (
	dropRaw  = 1 // the tokenizer gives it as one text, which goes
	dropTree = 2 // elements and all
)

var dropped = map[string]int{
	"script": dropRaw, "style": dropRaw, "title": dropRaw, "iframe": dropRaw, "noembed": dropRaw, "noframes": dropRaw, "noscript": dropRaw, "textarea": dropRaw,
	"svg": dropTree, "math": dropTree, "object": dropTree, "applet": dropTree, "template": dropTree, "audio": dropTree, "video": dropTree, "select": dropTree,
}

// attributes that are written, beside those of links and images. What an
// attribute like data-* or on* is for, a mail does not need.
var plainAttributes = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq("style class id dir lang align valign width height border cellpadding cellspacing bgcolor color face size " +
		"alt title colspan rowspan start type nowrap clear span hspace vspace rules frame summary tabindex name role") {
		m[name] = true
	}
	return m
}()

func attr(attrs []html.Attribute, name string) string {
	for _, a := range attrs {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// quoteMarker reports whether an element holds a quote, or whether all after
// it is quoted, by the marks of the mail programs.
func quoteMarker(name string, attrs []html.Attribute) (quote, after bool) {
	if name == "blockquote" {
		return true, false
	}
	if len(attrs) == 0 {
		return false, false
	}
	for _, a := range attrs {
		switch a.Key {
		case "class":
			for c := range strings.FieldsSeq(strings.ToLower(a.Val)) {
				c = strings.TrimPrefix(c, "x_")
				for _, mark := range quoteClasses {
					if strings.Contains(c, mark) {
						return true, false
					}
				}
			}
		case "id":
			id := strings.ToLower(a.Val)
			for _, mark := range []string{"divrplyfwdmsg", "appendonsend", "stopspelling", "olk_src_body_section", "mail-editor-reference-message-container", "reply-intro", "ms-outlook-mobile-signature"} {
				if strings.HasSuffix(id, mark) {
					return true, mark != "ms-outlook-mobile-signature"
				}
			}
			if strings.HasSuffix(id, "signature") {
				return true, false
			}
		case "name":
			if strings.EqualFold(a.Val, "quote") {
				return true, false
			}
		case "tabindex":
			if name == "hr" && a.Val == "-1" {
				return true, true
			}
		case "style":
			if name != "div" && name != "p" && name != "td" && name != "blockquote" {
				continue
			}
			style := strings.ToLower(strings.ReplaceAll(a.Val, " ", ""))
			for _, mark := range []string{"border-top:solid#b5c4df", "border-top:solid#e1e1e1", "border-top:1.0ptsolid", "border-top-color:rgb(229,229,229)"} {
				if strings.Contains(style, mark) {
					return true, true
				}
			}
		}
	}
	return false, false
}

// quoteClasses mark quotes, attributions and automatic signatures.
var quoteClasses = []string{
	"gmail_quote", "gmail_attr", "gmail_extra", "gmail_signature", "moz-cite-prefix", "moz-signature", "moz-forward-container", "yahoo_quoted", "yahoo-quoted",
	"protonmail_quote", "protonmail_signature", "tutanota_quote", "zmail_extra", "emailquote", "outlookmessageheader", "wordsection-quote", "quoted-text",
	"apple-mail-signature", "applemailsignature", "k9mail-signature", "signature-text", "freebirdformreply", "sh-signature", "elided-text", "mail-quote",
}

// isFooter reports whether an element is the relay's notification footer.
// Programs put prefixes before class names when they quote.
func isFooter(attrs []html.Attribute) bool {
	for c := range strings.FieldsSeq(attr(attrs, "class")) {
		if strings.HasSuffix(c, footerClass) {
			return true
		}
	}
	return false
}

const footerClass = "sd-footer"

// hidden reports whether an element is not shown: what is in it was not typed.
func hidden(attrs []html.Attribute) bool {
	for _, a := range attrs {
		switch a.Key {
		case "hidden":
			return true
		case "style":
			style := strings.ToLower(strings.ReplaceAll(a.Val, " ", ""))
			if strings.Contains(style, "display:none") || strings.Contains(style, "visibility:hidden") || strings.Contains(style, "font-size:0") ||
				strings.Contains(style, "mso-hide:all") || strings.Contains(style, "opacity:0;") || strings.HasSuffix(style, "opacity:0") {
				return true
			}
		}
	}
	return false
}

// attributes decides about the attributes of an element. typed: its link may
// stay although it holds an address; newLink: it is in new text.
func (rw *rewriter) attributes(t *htmlToken, typed, newLink bool) {
	kept := t.attrs[:0]
	if t.name == "img" && rw.isTracker(t.attrs) {
		t.drop = true
		return
	}
	seen := map[string]bool{}
	for _, a := range t.attrs {
		if a.Namespace != "" || seen[a.Key] {
			continue
		}
		switch {
		case t.name == "a" && a.Key == "href":
			a.Val = rw.href(a.Val, typed, newLink)
			if a.Val == "" {
				continue
			}
		case t.name == "img" && a.Key == "src":
			if a.Val = rw.imageSource(a.Val); a.Val == "" {
				t.drop = true
				return
			}
		case !plainAttributes[a.Key]:
			continue
		case a.Key == "style":
			a.Val = rw.inlineStyle(a.Val)
			if a.Val == "" {
				continue
			}
		case a.Key == "alt" || a.Key == "title" || a.Key == "summary":
			a.Val = rw.clean(a.Val)
		case len(a.Val) > 4 && len(rw.id.find(a.Val)) > 0:
			continue
		}
		seen[a.Key] = true
		kept = append(kept, a)
	}
	if t.name == "img" && !seen["src"] {
		t.drop = true
	}
	t.attrs = kept
}

// href decides about a link. One that holds an identifier goes, unless its
// writer typed it; one wrapped by a mail system's link scanner, which puts
// the reader's address in, is unwrapped.
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
	if u, err := url.Parse(v); err == nil && strings.HasSuffix(u.Hostname(), ".safelinks.protection.outlook.com") {
		if inner := u.Query().Get("url"); strings.HasPrefix(inner, "http") && len(rw.id.find(inner)) == 0 {
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

// imageSource decides where an image comes from: another part, the web, or
// the text itself; everything else is a path on somebody's disk.
func (rw *rewriter) imageSource(v string) string {
	v = strings.TrimSpace(v)
	scheme, rest, _ := strings.Cut(v, ":")
	switch strings.ToLower(scheme) {
	case "cid":
		return rw.cidLink(rest)
	case "http", "https":
		if len(rw.id.find(v)) > 0 {
			return ""
		}
		return v
	case "data":
		return rw.dataImage(rest)
	}
	return ""
}

// dataImage takes the metadata out of an image that is in the link itself.
func (rw *rewriter) dataImage(rest string) string {
	kind, data, ok := strings.Cut(rest, ",")
	kind, isBase64 := strings.CutSuffix(strings.ToLower(strings.ReplaceAll(kind, " ", "")), ";base64")
	if !ok || !isBase64 || !strings.HasPrefix(kind, "image/") || kind == "image/svg+xml" || !isMediaToken(kind) {
		return ""
	}
	clean, ok := rw.stripped(decodeBase64(percentDecode(data)))
	if !ok {
		return ""
	}
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(clean)
}

// isTracker reports whether a remote image is there to be fetched, not seen:
// of a pixel's size, or hidden.
func (rw *rewriter) isTracker(attrs []html.Attribute) bool {
	src := strings.ToLower(strings.TrimSpace(attr(attrs, "src")))
	if !strings.HasPrefix(src, "http:") && !strings.HasPrefix(src, "https:") {
		return false
	}
	tiny := func(s string) bool {
		s = strings.TrimSuffix(strings.TrimSpace(s), "px")
		return s == "0" || s == "1" || s == "2"
	}
	if tiny(attr(attrs, "width")) || tiny(attr(attrs, "height")) || hidden(attrs) {
		return true
	}
	for d := range strings.SplitSeq(strings.ToLower(strings.ReplaceAll(attr(attrs, "style"), " ", "")), ";") {
		if name, value, _ := strings.Cut(d, ":"); (name == "width" || name == "height" || name == "max-width" || name == "max-height") && tiny(value) {
			return true
		}
	}
	return false
}

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

// styleSheet keeps a style element's rules if they are harmless.
func (rw *rewriter) styleSheet(s string) string {
	s = strings.NewReplacer("<!--", "", "-->", "").Replace(s)
	for {
		i := strings.Index(s, "/*")
		if i < 0 {
			break
		}
		end := strings.Index(s[i+2:], "*/")
		if end < 0 {
			s = s[:i]
			break
		}
		s = s[:i] + s[i+2+end+2:]
	}
	lower := strings.ToLower(s)
	if !safeCSS(lower) || strings.Contains(lower, "url(") || rw.mentions(s) {
		return ""
	}
	return s
}
