package senderauth

import (
	"bufio"
	"errors"
	"io"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxHeader bounds the header that is read, in octets.
const maxHeader = 256 << 10

// field is a header field with its value unfolded.
type field struct{ name, value string }

// readHeader reads the fields up to the empty line, or as far as maxHeader.
func readHeader(r io.Reader) ([]field, error) {
	br := bufio.NewReader(io.LimitReader(r, maxHeader))
	var fields []field
	for {
		line, err := br.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		text := strings.TrimRight(line, "\r\n")
		switch {
		case text == "":
			return fields, nil
		case (text[0] == ' ' || text[0] == '\t') && len(fields) > 0:
			fields[len(fields)-1].value += text
		default:
			name, value, ok := strings.Cut(text, ":")
			if !ok {
				return fields, nil // the body begins without an empty line
			}
			fields = append(fields, field{strings.TrimRight(name, " \t"), value})
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

// fromAddress returns the one author address. What a display name says counts
// for nothing; anything that two mail programs could read differently is
// refused (RFC 7489 section 6.6.1).
func fromAddress(header []field) (addrSpec, error) {
	var value string
	n := 0
	for _, f := range header {
		if strings.EqualFold(f.name, "From") {
			value = f.value
			n++
		}
	}
	switch {
	case n == 0:
		return addrSpec{}, errNoFrom
	case n > 1:
		return addrSpec{}, errManyFrom
	case strings.ContainsRune(value, 0) || !utf8.ValidString(value):
		return addrSpec{}, errFrom
	}
	list, err := mail.ParseAddressList(value)
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
