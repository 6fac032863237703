package sanitize

import (
	"bytes"
	"io"
	"path"
	"slices"
	"strings"
)

// How a part goes on.
type outKind uint8

const (
	outMultipart outKind = iota
	outText              // text in memory, rewritten
	outFile              // octets, streamed
	outMessage           // a message within the message
)

// outPart is a node of the new message.
type outPart struct {
	as       outKind
	kind     string // media type
	from     *part  // what it is made of; nil for a text that is only the preface
	src      *source
	children []*outPart
	rewrite  func(s string, foreign bool) (string, error) // of outText
	preface  opening                                      // what is put above the text
	foreign  bool                                         // it is in a message within the message: nothing in it is new
	attached bool                                         // Content-Disposition: attachment
	inline   bool                                         // Content-Disposition: inline
	name     string                                       // file name, as it came
}

// opening are the relay's own lines above a text.
type opening struct{ caution, preface string }

// text is the opening of a plain text.
func (o opening) text() string {
	var b strings.Builder
	for _, line := range []string{o.caution, o.preface} {
		if line != "" {
			b.WriteString(line + "\n\n")
		}
	}
	return b.String()
}

// html writes the opening of an HTML text.
func (o opening) html(b *strings.Builder) {
	if o.caution != "" {
		writeCaution(b, o.caution)
	}
	if o.preface != "" {
		writePreface(b, o.preface)
	}
}

var (
	errEncrypted = &RefusedError{"Your message is encrypted. The relay has to take your address out of a message, so it can't pass on what it can't read: please send it again without encryption."}
	errOpaque    = &RefusedError{"Your message is signed (S/MIME) in a form that hides its text, and the signature holds your address. Please send it again without a signature."}
	errTNEF      = &RefusedError{"Your message is in Outlook's own format (winmail.dat), which holds your address and which others can't read. Please set the message format to HTML or plain text and send it again."}
	errPartial   = &RefusedError{"Your mail program has sent the message in several pieces. Please switch splitting of large messages off and send it again."}
)

// plan decides about a part and what is in it. It returns nil for a part that
// is left out.
func (rw *rewriter) plan(p *part, src *source, depth int) (*outPart, error) {
	out := &outPart{from: p, src: src, kind: p.kind, foreign: rw.nested > 0}
	if strings.HasPrefix(p.kind, "multipart/") {
		return rw.planMultipart(p, out, depth)
	}
	disposition, dparams := parseMedia(p.head.get("content-disposition"))
	if out.name = dparams.get("filename"); out.name == "" {
		out.name = p.params.get("name")
	}
	out.name = strings.TrimRight(out.name, `/\ `)
	if i := strings.LastIndexAny(out.name, `/\`); i >= 0 {
		out.name = out.name[i+1:]
	}
	out.attached = disposition == "attachment"
	out.inline = disposition == "inline"
	if err := rw.unwantedName(out); err != nil {
		return nil, err
	}
	ext := strings.ToLower(path.Ext(out.name))
	switch kind, _, _ := strings.Cut(p.kind, "/"); {
	case p.kind == "application/pgp-encrypted":
		return nil, errEncrypted
	case p.kind == "application/pkcs7-mime", p.kind == "application/x-pkcs7-mime", ext == ".p7m":
		if strings.Contains(strings.ToLower(p.params.get("smime-type")), "signed") {
			return nil, errOpaque
		}
		return nil, errEncrypted
	case p.kind == "application/ms-tnef", p.kind == "application/vnd.ms-tnef", strings.EqualFold(out.name, "winmail.dat"):
		return nil, errTNEF
	case p.kind == "message/partial":
		return nil, errPartial
	case keyMaterial[p.kind], keyFiles[ext]:
		if rw.encryptedFile(p, out.src, ext) {
			return nil, errEncrypted
		}
		rw.repair("key or signature")
		return nil, nil
	case p.kind == "message/external-body", p.kind == "application/applefile", strings.HasPrefix(p.kind, "text/x-amp"), p.kind == "text/watch-html",
		strings.HasSuffix(p.kind, ".email-reaction+json"):
		return nil, nil
	case p.kind == "message/rfc822", p.kind == "message/global", p.kind == "message/news", ext == ".eml":
		return rw.planMessage(p, out)
	case kind == "message": // delivery-status, disposition-notification, feedback-report: lines of text
		out.as, out.kind, out.rewrite = outText, "text/plain", rw.cleanText
		return out, nil
	case kind == "text":
		return rw.planText(p, out)
	case p.kind == "application/ics", ext == ".ics":
		p.kind, out.kind = "text/calendar", "text/calendar"
		return rw.planText(p, out)
	case p.kind == "application/vcard", ext == ".vcf":
		p.kind, out.kind = "text/vcard", "text/vcard"
		return rw.planText(p, out)
	}
	out.as = outFile
	out.attached = out.attached || !out.inline && p.head.get("content-id") == ""
	return out, nil
}

// keyMaterial are parts that are about who somebody is. A signature no longer
// holds for the rebuilt message, and it names its maker.
var keyMaterial = map[string]bool{
	"application/pgp-keys": true, "application/pgp-signature": true, "application/pgp": true,
	"application/pkcs7-signature": true, "application/x-pkcs7-signature": true, "application/pkix-cert": true, "application/pkcs10": true,
	"application/x-x509-ca-cert": true, "application/x-x509-user-cert": true, "application/x-pkcs12": true, "application/x-pkcs7-certificates": true,
}

var keyFiles = map[string]bool{".asc": true, ".gpg": true, ".pgp": true, ".p7s": true, ".p7c": true, ".p7b": true, ".p12": true, ".pfx": true, ".sig": true}

// encryptedFile reports whether a file that is named like key material is
// somebody's content, encrypted: that must not be left out in silence.
func (rw *rewriter) encryptedFile(p *part, src *source, ext string) bool {
	if ext != ".asc" && ext != ".gpg" && ext != ".pgp" || p.kind == "application/pgp-keys" || p.kind == "application/pgp-signature" {
		return false
	}
	head := make([]byte, 4<<10)
	n, _ := io.ReadFull(rw.body(p, src), head)
	head = head[:n]
	if bytes.Contains(head, []byte("-----BEGIN PGP ")) {
		return bytes.Contains(head, []byte("-----BEGIN PGP MESSAGE-----"))
	}
	// RFC 9580 section 4.2: the first packet of a key or signature says so in
	// its tag: 2 signature, 5 to 7 and 14 keys.
	if n == 0 || head[0]&0x80 == 0 {
		return false
	}
	tag := head[0] >> 2 & 0x0f
	if head[0]&0x40 != 0 {
		tag = head[0] & 0x3f
	}
	return tag != 2 && (tag < 5 || tag > 7) && tag != 14
}

func (rw *rewriter) planMultipart(p *part, out *outPart, depth int) (*outPart, error) {
	parts := p.children
	switch p.kind {
	case "multipart/encrypted":
		return nil, errEncrypted
	case "multipart/signed": // RFC 1847: the content, then its signature
		parts = parts[:1]
	case "multipart/related":
		// RFC 2387: the root is the first part, or the one that start names.
		if start := p.params.get("start"); start != "" {
			i := slices.IndexFunc(parts, func(c *part) bool { return bareID(c.head.get("content-id")) == bareID(start) })
			if i > 0 {
				parts = append([]*part{parts[i]}, slices.Delete(slices.Clone(parts), i, i+1)...)
			}
		}
	case "multipart/alternative":
	default:
		out.kind = "multipart/mixed"
	}
	for _, c := range parts {
		child, err := rw.plan(c, out.src, depth+1)
		if err != nil {
			return nil, err
		}
		if child != nil {
			out.children = append(out.children, child)
		}
	}
	if out.kind == "multipart/alternative" {
		out.dropConverted()
	}
	switch len(out.children) {
	case 0:
		return nil, nil
	case 1:
		return out.children[0], nil
	}
	return out, nil
}

// dropConverted leaves out alternatives that were converted to plain text
// where there is a plain text.
func (o *outPart) dropConverted() {
	isPlain := func(c *outPart) bool { return c.as == outText && c.from.kind == "text/plain" }
	if slices.ContainsFunc(o.children, isPlain) {
		o.children = slices.DeleteFunc(o.children, func(c *outPart) bool { return c.as == outText && c.kind == "text/plain" && !isPlain(c) })
	}
}

func (rw *rewriter) planText(p *part, out *outPart) (*outPart, error) {
	out.as = outText
	switch p.kind {
	case "text/plain":
		out.rewrite = rw.plainText
	case "text/html":
		// With the preface: rewrittenText.
	case "text/enriched", "text/richtext":
		out.kind = "text/plain"
		// Its lines are joined: what is quoted can't be told.
		out.rewrite = func(s string, _ bool) (string, error) { return rw.plainText(enriched(s), true) }
	case "text/calendar":
		out.rewrite = func(s string, _ bool) (string, error) { return rw.calendar(s), nil }
	case "text/vcard", "text/x-vcard", "text/directory":
		out.rewrite = func(s string, _ bool) (string, error) { return rw.vcard(s), nil }
	case "text/rfc822-headers", "text/rfc822-header":
		out.kind, out.rewrite = "text/plain", rw.cleanText
	default:
		// A data format: octets, and never shown as the message's text.
		out.as, out.attached = outFile, true
	}
	if out.attached && (p.kind == "text/plain" || p.kind == "text/html") {
		out.as = outFile
	}
	return out, nil
}

func (rw *rewriter) cleanText(s string, _ bool) (string, error) { return rw.clean(s), nil }

// planMessage reads a message within the message as a message of its own.
func (rw *rewriter) planMessage(p *part, out *outPart) (*outPart, error) {
	if rw.nested >= maxNested {
		return nil, errTooDeep
	}
	rw.nested++
	defer func() { rw.nested-- }()
	inner, err := rw.innerSource(p, out.src)
	if err != nil {
		return nil, err
	}
	root, err := index(inner, rw)
	if err != nil {
		return nil, err
	}
	body, err := rw.plan(root, inner, 0)
	if err != nil {
		return nil, err
	}
	if body == nil {
		body = emptyText()
	}
	out.as, out.kind = outMessage, "message/rfc822"
	out.from = root
	out.children = []*outPart{body}
	return out, nil
}

// innerSource is what a message/rfc822 part holds. It must not be encoded
// (RFC 2046 section 5.2.1), but some do.
func (rw *rewriter) innerSource(p *part, src *source) (*source, error) {
	switch p.encoding() {
	case "base64", "quoted-printable":
		b, err := rw.octets(p, src, maxInner)
		if err != nil {
			return nil, refuse("A message that is attached to yours is too large to be taken apart. Please attach what matters of it.")
		}
		return memSource(b), nil
	}
	return newSource(src.r, p.start, p.end)
}

// maxInner bounds an attached message that is encoded, in octets.
const maxInner = 8 << 20

func emptyText() *outPart {
	return &outPart{as: outText, kind: "text/plain"}
}

// withPreface puts the preface into the first text, and into each of its
// alternatives; before everything, where the message does not begin with a
// text. A message of nothing becomes an empty text.
func (rw *rewriter) withPreface(out *outPart) *outPart {
	if out == nil {
		out = emptyText()
	}
	above := opening{rw.cautionLine(), oneLine(rw.o.Preface)}
	if above == (opening{}) || out.setPreface(above) {
		return out
	}
	first := emptyText()
	first.preface = above
	if out.as == outMultipart && out.kind == "multipart/mixed" {
		out.children = append([]*outPart{first}, out.children...)
		return out
	}
	return &outPart{as: outMultipart, kind: "multipart/mixed", children: []*outPart{first, out}}
}

// setPreface reports whether a text was found that begins the part.
func (o *outPart) setPreface(above opening) bool {
	switch {
	case o.as == outText && (o.kind == "text/plain" || o.kind == "text/html") && (o.from == nil || strings.HasPrefix(o.from.kind, "text/")):
		o.preface = above
		return true
	case o.as != outMultipart:
		return false
	case o.kind == "multipart/alternative":
		found := false
		for _, c := range o.children {
			found = c.setPreface(above) || found
		}
		return found
	}
	return o.children[0].setPreface(above)
}

// bareID is a Content-ID without brackets.
func bareID(s string) string {
	return strings.Trim(strings.TrimSpace(s), "<>")
}
