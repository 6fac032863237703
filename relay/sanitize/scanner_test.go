package sanitize

import (
	"io"
	"strings"
	"testing"
)

// TestScanner: an address is found wherever the pieces of a stream are parted,
// and however it is written; others at its domain are not it.
func TestScanner(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"plain":             {"x " + secret + " y", true},
		"in capitals":       {strings.ToUpper(secret), true},
		"with a tag":        {"jane.roe+cast@realmail.example", true},
		"without its dot":   {"janeroe@realmail.example", true},
		"behind a digit":    {"\x00\x010" + secret + "0", true},
		"in UTF-16":         {wide(secret), true},
		"broken":            {"jane.\r\n> roe@realmail.example", true},
		"with spaces":       {"j a n e . r o e@realmail.example", true},
		"spelt dot":         {"jane dot roe@realmail.example", true},
		"entity":            {"jane.roe&#64;realmail.example", true},
		"entity within":     {"jane&#46;roe@realmail.example", true},
		"percent":           {"jane.roe%40realmail.example", true},
		"quoted-printable":  {"jane.roe=40realmail.example", true},
		"a VERP address":    {"jane.roe=realmail.example@else.example", true},
		"wide letters":      {"ｊane.roe@realmail.example", true},
		"the relay's":       {"t-abcdef@msg.example.com", true},
		"a colleague's":     {"sam@realmail.example", false},
		"of a longer name":  {"jane.roe.b@realmail.example", false},
		"another domain's":  {"jane.roe@realmail.example2", true},
		"the domain alone":  {"www.realmail.example", false},
		"another's, a list": {strings.Repeat("sam.w@realmail.example,Sam W\r\n", 300), false},
		"last of a list":    {strings.Repeat("sam.w@realmail.example,Sam W\r\n", 300) + secret, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 7, 100, len(c.text)} {
				s := &scanner{id: compile(&jane), w: io.Discard}
				for rest := c.text; rest != ""; {
					n := min(size, len(rest))
					io.WriteString(s, rest[:n])
					rest = rest[n:]
				}
				io.WriteString(s, strings.Repeat("\x01", 20))
				if s.found != c.want {
					t.Errorf("in pieces of %d: %v", size, s.found)
				}
			}
		})
	}
}
