package sanitize

import (
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

// isFooter reports whether an element is the relay's notification footer, or
// its caution.
// Programs put prefixes before class names when they quote.
func isFooter(attrs []html.Attribute) bool {
	for c := range strings.FieldsSeq(attr(attrs, "class")) {
		if strings.HasSuffix(c, footerClass) || strings.HasSuffix(c, cautionClass) {
			return true
		}
	}
	return false
}

const footerClass = "sd-footer"

// attributes decides about the attributes of an element. typed: its link may
// stay although it holds an address; newLink: it is in new text.
func (rw *rewriter) attributes(t *htmlToken, typed, newLink bool) {
	if t.name == "img" && !rw.image(t) {
		t.drop = true
		return
	}
	kept := t.attrs[:0]
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
		case t.name == "img" && a.Key == "src": // image has decided
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
	t.attrs = kept
}
