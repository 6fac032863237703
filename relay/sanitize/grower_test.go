package sanitize

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"math/rand/v2"
	"mime/quotedprintable"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

// grower makes random messages with identifiers in them.
type grower struct {
	*rand.Rand
	other string // somebody else's address
	depth int
}

func (g *grower) one(list ...string) string { return list[g.IntN(len(list))] }

// secret is an identifier, in one of its forms.
func (g *grower) secret() string {
	s := g.one("jane.roe@realmail.example", "jane.roe@realmail.example", "JANE.ROE@RealMail.Example", "janeroe@realmail.example", "jane.roe+casting@realmail.example",
		"j.ane.roe+x-y@realmail.example", "jr@bücher.example", "JR+tag@BÜCHER.example", "jr@xn--bcher-kva.example", "jroe@work.example", "j.roe@Work.Example", "t-k3x9qdm2w7@msg.example.com", "T-K3X9QDM2W7@msg.example.com")
	return s
}

// disguise writes a text so that it still reads the same. markup: it may hold
// entities and tags.
func (g *grower) disguise(s string, markup bool) string {
	at := strings.IndexByte(s, '@')
	cut := 1 + g.IntN(len(s)-1)
	for cut < len(s) && !utf8.RuneStart(s[cut]) {
		cut++
	}
	switch g.IntN(17) {
	case 13:
		return strings.ReplaceAll(s, "@", "+AEA-")
	case 14:
		return s[:cut] + "\u202e\u202c" + s[cut:]
	case 15:
		if !markup {
			return strings.ReplaceAll(s, "@", "=40")
		}
		return s[:cut] + "&shy;&#8203;" + s[cut:]
	case 0:
		return strings.ReplaceAll(s, "@", "%40")
	case 1:
		return strings.ReplaceAll(strings.ReplaceAll(s, "@", "%2540"), ".", "%2E")
	case 2:
		return strings.ReplaceAll(strings.ReplaceAll(s, "@", "&#64;"), ".", "&#x2e;")
	case 3:
		return strings.ReplaceAll(s, "@", "&amp;commat;")
	case 4:
		return s[:cut] + "\u200b" + s[cut:]
	case 5:
		return s[:cut] + "\u00ad\u2060" + s[cut:]
	case 6:
		return strings.ReplaceAll(s, "@", "\uff20")
	case 7:
		return strings.Map(func(r rune) rune {
			if r > ' ' && r < 0x7f {
				return r - 0x20 + 0xff00
			}
			return r
		}, s)
	case 8:
		return s[:at] + " (at) " + s[at+1:]
	case 9:
		return s[:at] + " at " + s[at+1:]
	case 10:
		return "mailto:" + s
	case 11:
		if markup {
			return s[:cut] + g.one("<wbr>", "<b></b>", "<!-- x -->", "<span>", "</b>") + s[cut:]
		}
		return s[:at] + "@\n> " + s[at+1:]
	case 12:
		return "<" + s + ">"
	}
	return s
}

func (g *grower) words() string {
	var b strings.Builder
	for range 1 + g.IntN(12) {
		b.WriteString(g.one("Tuesday ", "works ", "for me. ", "Ophelia ", "déjà vu ", "リハーサル ", "\n", "\n\n", "100% ", "a=b ", "<3 ", "https://example.org/?a=1&b=2 ", g.other+" "))
	}
	return b.String()
}

// quoted is quoted text that holds identifiers.
func (g *grower) quoted() string {
	s := g.disguise(g.secret(), false)
	switch g.IntN(12) {
	case 8:
		return "\n> -- \n> Backstage\n> Stop: https://msg.example.com/u/tok3nq8z7\n> \n"
	case 9:
		return "\n> Received: from laptop.home ([192.0.2.77])\n>  by mx.realmail.example\n> see www.realmail.example and http://LAPTOP.home/\n"
	case 10:
		return "\n> begin 644 old.txt\n> " + uuLine("this was for "+g.one("jane.roe@realmail.example", "jroe@work.example")) + "\n> `\n> end\n"
	case 11:
		return "\nSent from my phone\nSent from the account of " + s + "\n"
	case 0:
		return "\n________________________________\nFrom: Sam\nSent: Monday\nTo: Jane Roe <" + s + ">\nSubject: x\n\nhello " + s + "\n"
	case 1:
		return "\nOn Mon, Aug 31, 2026 at 4:12 PM Jane Roe <" + s + "> wrote:\n\n> text " + g.other + " " + s + "\n>> more " + s + "\n"
	case 2:
		return "\nAm 31.08.2026 um 16:12 schrieb Jane Roe " + s + ":\n> text\n"
	case 3:
		return "\n> " + strings.ReplaceAll(g.words(), "\n", "\n> ") + s + "\n"
	case 4:
		return "\n-----Original Message-----\nAn: " + s + "\n" + g.words() + s
	case 5:
		return "\n-- \nJane Roe\n" + s + "\n"
	case 6:
		return "\n> " + base64.StdEncoding.EncodeToString([]byte("this was for "+g.secret()+", who else could read it?")) + "\n"
	}
	return "\nVon: Sam\nGesendet: Montag\nAn: " + s + "; " + g.other + "\nBetreff: y\n\n" + s
}

// uuLine is a line of uuencode.
func uuLine(s string) string {
	b := []byte{byte(len(s)) + ' '}
	for i := 0; i < len(s); i += 3 {
		var t [3]byte
		copy(t[:], s[i:])
		for _, c := range [4]byte{t[0] >> 2, t[0]<<4&0x3f | t[1]>>4, t[1]<<2&0x3f | t[2]>>6, t[2] & 0x3f} {
			if c == 0 {
				c = '`' - ' '
			}
			b = append(b, c+' ')
		}
	}
	return string(b)
}

func (g *grower) quotedHTML() string {
	s := g.disguise(g.secret(), true)
	switch g.IntN(8) {
	case 0:
		return `<blockquote type="cite"><b>To:</b> <a href="mailto:` + url.QueryEscape(g.secret()) + `">` + s + `</a></blockquote>`
	case 1:
		return `<div class="gmail_quote"><div class="gmail_attr">On Monday Jane Roe &lt;` + s + `&gt; wrote:<br></div><blockquote>` + s + `</blockquote></div>`
	case 2:
		return `<div id="divRplyFwdMsg"><b>From:</b> Sam<br><b>To:</b> ` + s + `</div><p>` + s + `</p>`
	case 3:
		return `<p title="` + g.secret() + `" data-x="` + g.secret() + `">hm</p><img alt="` + g.secret() + `" src="cid:a@b">`
	case 4:
		return `<!-- ` + g.secret() + ` --><style>/* ` + g.secret() + ` */ p { color: red }</style><script>"` + g.secret() + `"</script>`
	case 5:
		return `<div style="display: none">` + s + `</div><img width="1" height="1" src="https://x.example/?u=` + url.QueryEscape(g.secret()) + `">`
	case 6:
		return `<p><b>Von:</b> Sam</p><p><b>An:</b> ` + s + `</p><p><b>Betreff:</b> x</p><p>` + s + `</p>`
	}
	return `<a href="https://eur01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fexample.org%2F&amp;data=05%7C02%7C` + url.QueryEscape(g.secret()) + `%7C1">link</a>`
}

// encode writes a body in a random transfer encoding and charset.
func (g *grower) encode(kind, s string) []byte {
	var b bytes.Buffer
	cs := "utf-8"
	data := []byte(s)
	switch g.IntN(5) {
	case 0:
		cs = "utf-16le"
		data, _ = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewEncoder().Bytes(data)
		fmt.Fprintf(&b, "Content-Type: %s; charset=%s\r\nContent-Transfer-Encoding: base64\r\n", kind, cs)
		g.extraFields(&b)
		b.WriteString("\r\n" + base64.StdEncoding.EncodeToString(data))
	case 1:
		fmt.Fprintf(&b, "Content-Type: %s; charset=%s\r\nContent-Transfer-Encoding: base64\r\n", kind, cs)
		g.extraFields(&b)
		b.WriteString("\r\n" + base64.StdEncoding.EncodeToString(data))
	case 2, 3:
		fmt.Fprintf(&b, "Content-Type: %s; charset=%s\r\nContent-Transfer-Encoding: quoted-printable\r\n", kind, cs)
		g.extraFields(&b)
		b.WriteString("\r\n")
		w := quotedprintable.NewWriter(&b)
		w.Write(data)
		w.Close()
	default:
		fmt.Fprintf(&b, "Content-Type: %s\r\n", kind)
		g.extraFields(&b)
		b.WriteString("\r\n")
		b.Write(data)
	}
	return b.Bytes()
}

// extraFields are fields of a part that give something away.
func (g *grower) extraFields(b *bytes.Buffer) {
	switch g.IntN(8) {
	case 0:
		b.WriteString("Content-ID: <part1." + g.secret() + ">\r\n")
	case 1:
		b.WriteString("Content-Description: =?utf-8?b?" + base64.StdEncoding.EncodeToString([]byte("of "+g.secret())) + "?=\r\n")
	case 2:
		b.WriteString("Content-Disposition: inline; filename*=utf-8''" + strings.ReplaceAll(url.QueryEscape(g.secret()), "+", "%2B") + ".txt\r\n")
	case 3:
		b.WriteString("Content-Disposition: attachment; filename=\"=?utf-8?q?" + strings.ReplaceAll(g.secret(), "@", "=40") + "?=\"\r\n")
	case 4:
		b.WriteString("X-Sender: " + g.secret() + "\r\nContent-Location: mid:" + g.secret() + "\r\n")
	}
}

func (g *grower) leaf() []byte {
	switch g.IntN(12) {
	case 0, 1, 2:
		return g.encode(g.one("text/plain", "text/plain; format=flowed", "text/plain; format=flowed; delsp=yes"), g.words()+g.quoted())
	case 3, 4, 5:
		return g.encode("text/html", "<p>"+html.EscapeString(g.words())+"</p>"+g.quotedHTML()+g.quotedHTML())
	case 6:
		return g.encode("text/calendar", "BEGIN:VCALENDAR\r\nORGANIZER;EMAIL="+g.secret()+":mailto:"+g.secret()+"\r\nATTENDEE:mail\r\n to:"+g.secret()+"\r\nUID:"+g.secret()+"\r\nX-A:"+g.disguise(g.secret(), false)+"\r\nEND:VCALENDAR\r\n")
	case 7:
		return g.encode("text/vcard", "BEGIN:VCARD\r\nFN:Jane Roe "+g.secret()+"\r\nEMAIL:"+g.secret()+"\r\nNOTE:"+g.disguise(g.secret(), false)+"\r\nEND:VCARD\r\n")
	case 8:
		return g.encode("message/delivery-status", "Final-Recipient: rfc822;"+g.secret()+"\r\nDiagnostic-Code: smtp; 550 <"+g.secret()+">\r\n")
	case 9:
		return []byte("Content-Type: application/pgp-keys; name=\"" + g.secret() + ".asc\"\r\n\r\n-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n" + g.secret() + "\r\n-----END PGP PUBLIC KEY BLOCK-----\r\n")
	case 10:
		return g.encode("text/enriched", "<bold>"+g.words()+"</bold>\n\n"+g.quoted())
	}
	data := base64.StdEncoding.EncodeToString([]byte("\xff\xd8\xff\xfe\x00\x40" + (g.secret() + strings.Repeat(" ", 62))[:62] + "\xff\xd9 trailing " + g.secret()))
	return []byte("Content-Type: image/jpeg; name=\"" + g.secret() + ".jpg\"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + data + "\r\n")
}

func (g *grower) entity() []byte {
	g.depth++
	defer func() { g.depth-- }()
	if g.depth > 4 || g.IntN(3) > 0 {
		return g.leaf()
	}
	if g.IntN(5) == 0 {
		return append([]byte("Content-Type: message/rfc822\r\n\r\n"), g.message()...)
	}
	var b bytes.Buffer
	boundary := fmt.Sprintf("b%d=_x", g.IntN(1<<30))
	fmt.Fprintf(&b, "Content-Type: multipart/%s; boundary=\"%s\"\r\n\r\nSent by %s\r\n", g.one("mixed", "alternative", "related", "signed", "digest", "report"), boundary, g.secret())
	for range 1 + g.IntN(3) {
		b.WriteString("\r\n--" + boundary + "\r\n")
		b.Write(g.entity())
	}
	if g.IntN(6) > 0 {
		b.WriteString("\r\n--" + boundary + "--\r\nEpilogue of " + g.secret() + "\r\n")
	}
	return b.Bytes()
}

func (g *grower) message() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Received: from laptop.home ([192.0.2.77]) by mx.realmail.example\r\nFrom: Jane Roe <%s>\r\nTo: x <%s>, %s\r\nMessage-ID: <a.%s>\r\n", g.secret(), g.secret(), g.other, g.secret())
	fmt.Fprintf(&b, "Subject: Re: =?utf-8?q?hello_%s?= (%s)\r\n", strings.ReplaceAll(g.secret(), "@", "=40"), g.secret())
	b.Write(g.entity())
	return b.Bytes()
}
