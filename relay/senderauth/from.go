package senderauth

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxHeader bounds the header that is read, in octets.
const maxHeader = 256 << 10

// field is a header field with its value unfolded.
type field struct {
	name, value string
	raw         string // as it stands in the message, with its line ends
}

// errLongHeader is for the writer: fields beyond maxHeader might be read by
// others.
var errLongHeader = errors.New("its header is too long")

// readHeader reads the fields up to the empty line. It is as generous as the
// most generous reader: only a line that is really empty ends the header, and a
// line that is no field stands there by its whole text. So no From field is
// overlooked that go-msgauth, or another mail program, would find further down.
func readHeader(r io.Reader) ([]field, error) {
	br := bufio.NewReader(io.LimitReader(r, maxHeader+1))
	var fields []field
	for size := 0; ; {
		line, err := br.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if size += len(line); size > maxHeader {
			return nil, errLongHeader
		}
		text := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		switch {
		case text == "":
			return fields, nil
		case (text[0] == ' ' || text[0] == '\t') && len(fields) > 0:
			fields[len(fields)-1].value += text
			fields[len(fields)-1].raw += line
		default:
			name, value, _ := strings.Cut(text, ":")
			fields = append(fields, field{strings.TrimRight(name, " \t"), value, line})
		}
		if err != nil {
			return fields, nil
		}
	}
}

// addrSpec is an address taken apart: the local part as written, unquoted, the
// domain in lower-case A-labels.
type addrSpec struct{ local, domain string }

func (a addrSpec) String() string { return a.local + "@" + a.domain }

// equal compares as mailboxes are compared in practice: without regard to
// case, also in the local part.
func (a addrSpec) equal(b addrSpec) bool {
	return a.domain == b.domain && strings.EqualFold(a.local, b.local)
}

// The reasons why From is no proof, in words for the writer.
var (
	errNoFrom    = errors.New("it has no From field")
	errManyFrom  = errors.New("it has more than one From field")
	errGroup     = errors.New("its From field names a group instead of one person")
	errAddresses = errors.New("its From field must hold exactly one e-mail address")
	errFrom      = errors.New("the address in its From field is not valid")
)

// fromParser takes a display name in any charset: it counts for nothing.
var fromParser = mail.AddressParser{WordDecoder: &mime.WordDecoder{
	CharsetReader: func(_ string, r io.Reader) (io.Reader, error) { return r, nil },
}}

// fromAddress returns the one author address. What a display name says counts
// for nothing; anything that two mail programs could read differently is
// refused (RFC 7489 section 6.6.1).
func fromAddress(header []field) (addrSpec, error) {
	var name, value string
	n := 0
	for _, f := range header {
		if strings.EqualFold(strings.Map(visible, f.name), "From") {
			name, value = f.name, f.value
			n++
		}
	}
	switch {
	case n == 0:
		return addrSpec{}, errNoFrom
	case n > 1:
		return addrSpec{}, errManyFrom
	case !strings.EqualFold(name, "From") || strings.ContainsRune(value, 0) || !utf8.ValidString(value):
		return addrSpec{}, errFrom
	}
	list, err := fromParser.ParseList(value)
	if err != nil {
		return addrSpec{}, errFrom
	}
	if isGroup(value) {
		return addrSpec{}, errGroup
	}
	if len(list) != 1 {
		return addrSpec{}, errAddresses
	}
	return parseAddrSpec(list[0].Address)
}

// visible drops what some readers trim from a field's name (RFC 5322 section
// 2.2 allows printable ASCII only).
func visible(r rune) rune {
	if r <= ' ' || r >= 0x7f {
		return -1
	}
	return r
}

// isGroup reports a colon outside of quotes, comments and angle brackets (RFC
// 5322 section 3.4: group).
func isGroup(value string) bool {
	quoted, comment, angle := false, 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\':
			i++
		case c == '"' && comment == 0:
			quoted = !quoted
		case quoted:
		case c == '(':
			comment++
		case c == ')' && comment > 0:
			comment--
		case comment > 0:
		case c == '<':
			angle = true
		case c == '>':
			angle = false
		case c == ':' && !angle:
			return true
		}
	}
	return false
}

// parseAddrSpec takes an address apart. An address literal, a source route or
// a quoted local part with an @ in it is refused.
func parseAddrSpec(s string) (addrSpec, error) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || len(s) > 254 {
		return addrSpec{}, errFrom
	}
	local := s[:at]
	if strings.HasPrefix(local, `"`) {
		local = strings.Trim(local, `"`)
	}
	if local == "" || strings.ContainsAny(local, "@\"\\<>,:;") || strings.ContainsFunc(local, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) {
		return addrSpec{}, errFrom
	}
	domain, err := canonicalDomain(s[at+1:])
	if err != nil {
		return addrSpec{}, errFrom
	}
	return addrSpec{local, domain}, nil
}

// canonicalDomain is a domain in lower-case A-labels (RFC 5891) without a final
// dot; a name that only looks like another (full-width letters and such) maps
// to it or fails.
func canonicalDomain(domain string) (string, error) {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || ascii == "" || !strings.Contains(ascii, ".") && ascii != "localhost" {
		return "", errFrom
	}
	return ascii, nil
}
