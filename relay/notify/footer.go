package notify

import (
	"bufio"
	"bytes"
	"html"
	"mime"
	"net/mail"
	"net/textproto"
	"strings"
)

// What a footer begins with. When a reader's reply quotes it, relay/sanitize
// knows it by these and takes it out again.
const (
	textDelimiter = "-- \r\n" // RFC 3676 section 4.3
	htmlDelimiter = `<div class="sd-footer">`
)

// footer is what a notification's footer says.
type footer struct {
	brand   string
	writer  string // who wrote; the name that From shows
	others  bool   // there are more participants: a reply goes to them too
	about   string // "Ophelia in Hamlet", or empty
	baseURL string
	support string
	// alertsURL is the page that says how often the reader is told; may be empty.
	alertsURL string
	// blockURL is the page that blocks or reports the writer; may be empty.
	blockURL string
}

// footerOf takes what a footer says from the header block that its reader
// sees, so that both always say the same.
func (r *Renderer) footerOf(header []byte) footer {
	f := footer{brand: r.o.Brand, baseURL: r.o.BaseURL, support: r.o.SupportURL}
	h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(header))).ReadMIMEHeader()
	if err != nil && len(h) == 0 {
		return f
	}
	if from, err := mail.ParseAddress(h.Get("From")); err == nil {
		f.writer = strings.TrimSuffix(from.Name, " via "+r.o.Brand)
		f.blockURL = r.blockURL(header)
	}
	f.others = h.Get("Cc") != ""
	var words mime.WordDecoder
	decode := func(name string) string {
		s, err := words.DecodeHeader(h.Get(name))
		if err != nil {
			return ""
		}
		return strings.Join(strings.Fields(s), " ")
	}
	f.about = decode("X-Production")
	if role := decode("X-Role"); role != "" && f.about != "" {
		f.about = role + " in " + f.about
	}
	return f
}

// answer says what a reply does.
func (f footer) answer() string {
	to := f.writer
	if to == "" {
		to = "the sender"
	}
	if f.others {
		to = "everybody in this conversation"
	}
	return "To answer " + to + ", just reply to this message. Your own address stays private."
}

// read says where all messages are; a link may follow.
func (f footer) read() string {
	s := "All messages are in your " + f.brand + " mailbox, which any mail client opens"
	if f.baseURL != "" {
		return s + ": "
	}
	return s + "."
}

// text is the footer of a text/plain part. No line but the delimiter ends in
// a space, so that format=flowed keeps them apart (RFC 3676 section 4).
func (f footer) text() string {
	var b strings.Builder
	line := func(s string) { b.WriteString(strings.TrimRight(s, " ") + "\r\n") }
	b.WriteString(textDelimiter)
	line(f.brand)
	if f.about != "" {
		line("About: " + f.about)
	}
	line(f.answer())
	line(f.read() + f.baseURL)
	if f.alertsURL != "" {
		line("How often you get mail like this: " + f.alertsURL)
	}
	if f.blockURL != "" {
		line("Mute, block or report " + f.writer + ": " + f.blockURL)
	}
	if f.support != "" {
		line("Help: " + f.support)
	}
	return b.String()
}

// html is the footer of a text/html part.
func (f footer) html() string {
	const grey = `color:#767676;font-size:small`
	e := html.EscapeString
	link := func(url string) string {
		return `<a href="` + e(url) + `" style="color:#767676">` + e(url) + `</a>`
	}
	var b strings.Builder
	b.WriteString("\r\n" + htmlDelimiter)
	b.WriteString(`<p style="margin-top:2em;padding-top:0.7em;border-top:1px solid #cccccc;` + grey + `"><b>` + e(f.brand) + `</b>`)
	line := func(s string) { b.WriteString("<br>\r\n" + s) }
	if f.about != "" {
		line("About: " + e(f.about))
	}
	line(e(f.answer()))
	if f.baseURL == "" {
		line(e(f.read()))
	} else {
		line(e(f.read()) + link(f.baseURL))
	}
	if f.alertsURL != "" {
		line(`<a href="` + e(f.alertsURL) + `" style="color:#767676">How often you get mail like this</a>`)
	}
	if f.blockURL != "" {
		line(`<a href="` + e(f.blockURL) + `" style="color:#767676">Mute, block or report ` + e(f.writer) + `</a>`)
	}
	if f.support != "" {
		line("Help: " + link(f.support))
	}
	b.WriteString("</p></div>\r\n")
	return b.String()
}

// narrow is the footer for a charset that is only known to hold ASCII.
func (f footer) narrow() footer {
	ascii := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 0x80 {
				return '?'
			}
			return r
		}, s)
	}
	f.alertsURL, f.blockURL = ascii(f.alertsURL), ascii(f.blockURL)
	f.brand, f.writer, f.about = ascii(f.brand), ascii(f.writer), ascii(f.about)
	f.baseURL, f.support = ascii(f.baseURL), ascii(f.support)
	return f
}
