package sanitize

import (
	"strings"

	"golang.org/x/net/html"
)

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
			if strings.EqualFold(a.Val, "quote") || strings.EqualFold(a.Val, "messageReplySection") || strings.EqualFold(a.Val, "messageSignatureSection") {
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

// What an element hides.
type hiding uint8

const (
	hidesText hiding = 1 << iota // what is in it was not typed
	hidesAll                     // images too
)

// hidden tells what of an element is not shown.
func hidden(attrs []html.Attribute) hiding {
	var h hiding
	for _, a := range attrs {
		switch a.Key {
		case "hidden":
			return hidesText | hidesAll
		case "style":
			style := strings.ToLower(strings.ReplaceAll(a.Val, " ", ""))
			for d := range strings.SplitSeq(style, ";") {
				h |= hidingStyles[strings.TrimSuffix(d, "!important")]
				// Word indents its lists by -18pt; out of sight is more.
				if strings.HasPrefix(d, "text-indent:-99") || strings.HasPrefix(d, "left:-99") {
					h |= hidesText
				}
			}
		}
	}
	return h
}

// hidingStyles are the declarations by which something is there and not seen.
var hidingStyles = func() map[string]hiding {
	m := map[string]hiding{}
	for d := range strings.FieldsSeq("display:none visibility:hidden mso-hide:all opacity:0 opacity:0.0 max-height:0 max-height:0px max-width:0 max-width:0px clip:rect(0,0,0,0)") {
		m[d] = hidesText | hidesAll
	}
	for d := range strings.FieldsSeq("font-size:0 font-size:0px font-size:0pt font-size:1px color:transparent height:0 height:0px") {
		m[d] = hidesText
	}
	return m
}()
