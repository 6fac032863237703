package mimetree

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/quotedprintable"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"

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

// part adds the text of a text part, given as it stands in the message.
func (t *searchText) part(p *Part, raw []byte) {
	if t.Len() >= threading.MaxSearchText {
		return
	}
	text := string(decodeTransfer(p.Encoding, raw))
	if label := strings.ToLower(p.Params["charset"]); label != "" && label != "utf-8" && label != "us-ascii" {
		if r, err := charset.NewReaderLabel(label, strings.NewReader(text)); err == nil {
			if b, err := io.ReadAll(r); err == nil {
				text = string(b)
			}
		}
	}
	text = toUTF8(text)
	if p.Subtype == "html" {
		text = visibleText(text)
	}
	t.add(text)
}

// decodeTransfer decodes as much as can be decoded.
func decodeTransfer(encoding string, raw []byte) []byte {
	switch encoding {
	case "QUOTED-PRINTABLE":
		b, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(raw)))
		if err != nil && len(b) == 0 {
			return raw
		}
		return b
	case "BASE64":
		packed := make([]byte, 0, len(raw))
		for _, c := range raw {
			if c > ' ' && c != '=' {
				packed = append(packed, c)
			}
		}
		out := make([]byte, base64.RawStdEncoding.DecodedLen(len(packed)))
		n, _ := base64.RawStdEncoding.Decode(out, packed)
		return out[:n]
	}
	return raw
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
	z.SetMaxBuf(maxRawText)
	hidden := 0 // depth within script and style
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if hidden == 0 {
				b.Write(z.Text())
			}
		case html.StartTagToken:
			name, _ := z.TagName()
			if n := string(name); n == "script" || n == "style" {
				hidden++
			} else if !inline[n] {
				b.WriteByte(' ')
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if n := string(name); (n == "script" || n == "style") && hidden > 0 {
				hidden--
			} else if !inline[n] {
				b.WriteByte(' ')
			}
		case html.SelfClosingTagToken:
			b.WriteByte(' ')
		}
	}
}
