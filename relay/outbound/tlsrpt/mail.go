package tlsrpt

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
)

// mail is a report as it is mailed (RFC 8460 section 5.3): a header block, and
// a body of text for people and the compressed report. About is the domain that
// it is about, from our own.
func (r *report) mail(about, from, to string, compressed []byte, now time.Time) (header, body []byte) {
	boundary := "report-" + r.ID
	var h bytes.Buffer
	for _, f := range [][2]string{
		{"From", "TLS reports <postmaster@" + from + ">"},
		{"To", "<" + to + ">"},
		{"Subject", fmt.Sprintf("Report Domain: %s\r\n Submitter: %s\r\n Report-ID: <%s@%s>", about, from, r.ID, from)},
		{"Date", now.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0700")},
		{"Message-ID", "<" + r.ID + "@" + from + ">"},
		{"TLS-Report-Domain", about},
		{"TLS-Report-Submitter", from},
		{"TLS-Required", "No"}, // RFC 8460 section 3, RFC 8689 section 5: it comes although TLS fails
		{"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"},
		{"Content-Type", "multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"" + boundary + "\""},
	} {
		fmt.Fprintf(&h, "%s: %s\r\n", f[0], f[1])
	}
	h.WriteString("\r\n")

	s := r.sessions()
	var b bytes.Buffer
	fmt.Fprintf(&b, "--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n", boundary)
	fmt.Fprintf(&b, "This is a report about TLS connections (RFC 8460) from %s\r\nto the mail servers of %s on %s (UTC).\r\n\r\n", from, about, r.Range.Start.Format("2 January 2006"))
	fmt.Fprintf(&b, "Connections as your policy wants them: %d\r\nOthers: %d\r\n", s.Successful, s.Failed)
	fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n filename=\"%s\"\r\n\r\n",
		boundary, r.fileName(about, from))
	text := base64.StdEncoding.EncodeToString(compressed)
	for len(text) > 0 {
		n := min(len(text), 76)
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return h.Bytes(), b.Bytes()
}

// fileName is as RFC 8460 section 5.1 wants it.
func (r *report) fileName(about, from string) string {
	return strings.Join([]string{from, about, fmt.Sprint(r.Range.Start.Unix()), fmt.Sprint(r.Range.End.Unix()), r.ID}, "!") + ".json.gz"
}
