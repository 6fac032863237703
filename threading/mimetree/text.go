package mimetree

import (
	"strings"

	"golang.org/x/net/html"

	"github.com/stagedoor/stagedoor/threading"
)

// searchText collects the folded text of a message, up to
// threading.MaxSearchText octets.
type searchText struct{ strings.Builder }

// add folds text onto the end.
func (t *searchText) add(text string) {
	room := threading.MaxSearchText - t.Len() - 1
	if room <= 0 || text == "" {
		return
	}
	if text = strings.TrimSpace(threading.Fold(text)); text == "" {
		return
	}
	if len(text) > room {
		text = strings.ToValidUTF8(text[:room], "")
	}
	if t.Len() > 0 {
		t.WriteByte(' ')
	}
	t.WriteString(text)
}

// name adds what a part is called.
func (t *searchText) name(p *Part) {
	t.add(DecodeHeader(p.Filename()))
	t.add(DecodeHeader(p.Description))
}

// full reports whether no more text is taken.
func (t *searchText) full() bool { return t.Len() >= threading.MaxSearchText-1 }

// part adds the text of a text part, given as it stands in the message.
func (t *searchText) part(p *Part, raw []byte) {
	if t.full() {
		return
	}
	text := decodeCharset(p.Params["charset"], string(decodeTransfer(p.Encoding, raw)))
	if p.Subtype == "html" {
		text = visibleText(text)
	}
	t.add(text)
}

// inline are elements that don't part words.
var inline = map[string]bool{
	"a": true, "abbr": true, "b": true, "bdi": true, "bdo": true, "big": true, "em": true, "font": true, "i": true, "ins": true, "del": true,
	"mark": true, "s": true, "small": true, "span": true, "strong": true, "sub": true, "sup": true, "tt": true, "u": true, "wbr": true, "o:p": true,
}

// visibleText is what a person reads of an HTML document.
func visibleText(doc string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(doc))
	hidden := false // within script or style
	for {
		token := z.Next()
		switch token {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if !hidden {
				b.Write(z.Text())
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			switch n := string(name); {
			case n == "script", n == "style":
				hidden = token != html.EndTagToken // HTML knows no <style/>
			case !inline[n]:
				b.WriteByte(' ')
			}
		}
	}
}
