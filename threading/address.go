package threading

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Prefixes of local parts that the relay issues itself.
const (
	AliasPrefix  = "t-" // reply aliases
	BouncePrefix = "b-" // reverse-paths of what the relay sends (VERP)
)

// MaxLocalPart is RFC 5321 section 4.5.3.1.1's limit, in octets.
const MaxLocalPart = 64

// MaxSlug bounds a handle, and a production's and a role's slug, in octets:
// two slugs and the dot of a role address stay within MaxLocalPart.
const MaxSlug = 31

// MaxName bounds a display name and a title, in octets of UTF-8.
const MaxName = 200

// roleNames are the names of RFC 2142 (and relatives) that no member may take.
var roleNames = map[string]bool{
	"abuse": true, "admin": true, "administrator": true, "autoconfig": true, "autodiscover": true,
	"bounce": true, "bounces": true, "dmarc": true, "ftp": true, "help": true, "hostmaster": true, "info": true,
	"list": true, "list-request": true, "mailer-daemon": true, "marketing": true, "mta-sts": true,
	"news": true, "no-reply": true, "noc": true, "nobody": true, "noreply": true, "operator": true,
	"postmaster": true, "report": true, "root": true, "sales": true, "security": true, "support": true,
	"tlsrpt": true, "usenet": true, "uucp": true, "webmaster": true, "www": true,
}

// atSigns are the characters that are, or fold to, an @.
const atSigns = "@＠﹫"

// CheckSlug says why s can't be a handle or slug, in words for a person, or
// returns nil. Allowed are 1 to MaxSlug octets of a-z, 0-9 and hyphen, not at
// an end; not a reserved prefix; not a role name of RFC 2142.
func CheckSlug(s string) error {
	switch {
	case s == "":
		return errors.New("is empty: use letters a-z, digits and hyphens")
	case strings.ContainsAny(s, atSigns):
		return errors.New("looks like an e-mail address: use letters a-z, digits and hyphens only") // it may be a real one: not repeated
	case len(s) > MaxSlug:
		return fmt.Errorf("is %d characters long: at most %d are allowed", len(s), MaxSlug)
	case strings.Trim(s, "-") != s:
		return fmt.Errorf("%q begins or ends with a hyphen", s)
	case strings.HasPrefix(s, AliasPrefix), strings.HasPrefix(s, BouncePrefix):
		return fmt.Errorf("%q begins with %q or %q, which is reserved for the relay's own addresses", s, AliasPrefix, BouncePrefix)
	case roleNames[s]:
		return fmt.Errorf("%q is reserved (RFC 2142)", s)
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return fmt.Errorf("%q has the character %q: use lower-case letters a-z, digits and hyphens", s, c)
		}
	}
	return nil
}

// CheckName says why s can't be a display name or title, or returns nil. A
// name that holds an address is refused: it would show one to others.
func CheckName(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return errors.New("is empty")
	case len(s) > MaxName:
		return fmt.Errorf("is %d octets long: at most %d are allowed", len(s), MaxName)
	case !utf8.ValidString(s):
		return errors.New("is not valid UTF-8")
	case strings.ContainsAny(s, atSigns):
		return errors.New("contains an @: a name is shown to others and must not hold an e-mail address")
	case strings.Contains(s, "=?"):
		return errors.New("contains =?: a mail program would take it for an encoded word (RFC 2047) and show something else")
	}
	for _, c := range s {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' || c == '\u2029' {
			return errors.New("contains a control character")
		}
	}
	return nil
}

// Canonical returns the form of a real address under which it is unique and
// found: ASCII letters in lower case, the local part quoted only if it must be
// (RFC 5321 section 4.1.2), the domain in A-labels (RFC 5891) without a final
// dot. Other letters keep their case: what they fold to may be another
// person's. Dots and +tags of the local part stay: they widen redaction, never
// proof.
func Canonical(addr string) (string, error) {
	local, domain, err := SplitAddress(addr)
	if err != nil {
		return "", err
	}
	return quoteLocal(lowerASCII(local)) + "@" + domain, nil
}

// lowerASCII lowers A to Z only: U+212A (Kelvin) is no k, U+0130 no i.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// mustQuote are the characters that a local part holds only within quotes.
const mustQuote = " \t()<>[]:;@\\,\""

// quoteLocal quotes a local part that needs it.
func quoteLocal(local string) string {
	if !strings.ContainsAny(local, mustQuote) {
		return local
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
}

// unquoteLocal takes the quotes off a quoted local part.
func unquoteLocal(quoted string) (local string, ok bool) {
	if len(quoted) < 3 || quoted[0] != '"' || quoted[len(quoted)-1] != '"' {
		return "", false
	}
	var b strings.Builder
	inner := quoted[1 : len(quoted)-1]
	for i := 0; i < len(inner); i++ {
		switch inner[i] {
		case '"':
			return "", false
		case '\\':
			if i++; i == len(inner) {
				return "", false
			}
		}
		b.WriteByte(inner[i])
	}
	return b.String(), true
}

// SplitAddress parses an addr-spec into its local part, as written but
// unquoted, and its domain in lower-case A-labels. It refuses what no
// mailbox of a person has: IP addresses, control and invisible characters, an
// empty or too long part. Errors don't repeat the address.
func SplitAddress(addr string) (local, domain string, err error) {
	if len(addr) > 254 {
		return "", "", errors.New("the address is longer than 254 octets (RFC 5321 section 4.5.3.1.3)")
	}
	for _, c := range addr {
		if unicode.IsControl(c) || c == utf8.RuneError {
			return "", "", errors.New("the address contains a control character")
		}
	}
	at := strings.LastIndexByte(addr, '@')
	if at < 1 || at == len(addr)-1 {
		return "", "", errors.New("the address must look like name@example.com")
	}
	if local, err = splitLocal(addr[:at]); err != nil {
		return "", "", err
	}
	domain, err = splitDomain(strings.TrimSuffix(addr[at+1:], "."))
	return local, domain, err
}

func splitLocal(local string) (string, error) {
	if strings.HasPrefix(local, `"`) {
		var ok bool
		if local, ok = unquoteLocal(local); !ok {
			return "", errors.New("the address's local part is badly quoted")
		}
	} else if strings.ContainsAny(local, mustQuote) {
		return "", errors.New("the address's local part has a character that is not allowed")
	}
	if len(local) > MaxLocalPart {
		return "", errors.New("the address's local part is longer than 64 octets (RFC 5321 section 4.5.3.1.1)")
	}
	if strings.ContainsFunc(local, invisible) {
		return "", errors.New("the address's local part has a character that can't be seen")
	}
	return local, nil
}

// invisible reports whether a character takes no place where it is shown, or
// turns the text around it: two addresses would look the same.
func invisible(r rune) bool {
	return r != ' ' && unicode.IsSpace(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func splitDomain(domain string) (string, error) {
	if strings.HasPrefix(domain, "[") {
		return "", errors.New("the address has an IP address where its domain should be")
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || ascii == "" || strings.Contains("."+ascii+".", "..") {
		return "", errors.New("the address's domain is not a valid host name")
	}
	// No top-level domain is all digits (RFC 3696 section 2): it is an IP address.
	if tld := ascii[strings.LastIndexByte(ascii, '.')+1:]; strings.Trim(tld, "0123456789") == "" {
		return "", errors.New("the address has an IP address where its domain should be")
	}
	return strings.ToLower(ascii), nil
}

// CheckReal says why an address can't be a member's real one, or returns nil.
// Mail to one in the relay's own domain would go round in circles. The error
// does not repeat it.
func CheckReal(addr, domain string) error {
	canonical, err := Canonical(addr)
	if err != nil {
		return err
	}
	if d := canonical[strings.LastIndexByte(canonical, '@')+1:]; d == domain || strings.HasSuffix(d, "."+domain) {
		return fmt.Errorf("a real address can't be in the relay's own domain %s: give the member's mailbox elsewhere", domain)
	}
	return nil
}

// Mask returns a real address as listings show it: the first letter of the
// local part and the domain's last label.
func Mask(addr string) string {
	at := strings.LastIndexByte(addr, '@')
	if at < 1 {
		return "***"
	}
	r, _ := utf8.DecodeRuneInString(addr)
	tld := addr[strings.LastIndexByte(addr, '.')+1:]
	if strings.ContainsRune(tld, '@') {
		tld = "***"
	}
	return string(r) + "***@***." + tld
}

// RecipientKind is what a local part of our domain stands for.
type RecipientKind int

// The kinds of recipient.
const (
	RecipientUnknown  RecipientKind = iota // none of ours: refuse at RCPT
	RecipientAlias                         // t-TOKEN: a reply alias
	RecipientBounce                        // b-TOKEN: VERP reverse-path
	RecipientContact                       // HANDLE
	RecipientRole                          // ROLE.PRODUCTION
	RecipientOperator                      // postmaster, abuse, support
	RecipientReport                        // report: where members forward what they report
)

// Recipient is a parsed local part of our domain. Its shape says nothing of
// whether the thing exists.
type Recipient struct {
	Kind       RecipientKind
	Token      string // for RecipientAlias and RecipientBounce
	Handle     string // for RecipientContact and RecipientOperator
	Role       string // for RecipientRole
	Production string
}

// ParseLocal tells what a local part of our domain stands for. Case does not
// matter, a +detail is dropped.
func ParseLocal(local string) Recipient {
	local = lowerASCII(local)
	if i := strings.IndexByte(local, '+'); i > 0 {
		local = local[:i]
	}
	switch {
	case len(local) > MaxLocalPart:
		return Recipient{}
	case strings.HasPrefix(local, AliasPrefix):
		return Recipient{Kind: RecipientAlias, Token: local[len(AliasPrefix):]}
	case strings.HasPrefix(local, BouncePrefix):
		return Recipient{Kind: RecipientBounce, Token: local[len(BouncePrefix):]}
	case local == "postmaster", local == "abuse", local == "support":
		return Recipient{Kind: RecipientOperator, Handle: local}
	case local == "report":
		return Recipient{Kind: RecipientReport, Handle: local}
	}
	if role, production, ok := strings.Cut(local, "."); ok {
		if CheckSlug(role) != nil || CheckSlug(production) != nil {
			return Recipient{}
		}
		return Recipient{Kind: RecipientRole, Role: role, Production: production}
	}
	if CheckSlug(local) != nil {
		return Recipient{}
	}
	return Recipient{Kind: RecipientContact, Handle: local}
}
