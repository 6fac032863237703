package sanitize

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
)

// trees is how many random messages TestProperty makes; SANITIZE_TREES says
// another number.
const trees = 3000

// planted is the writer of the random messages.
var planted = Identity{
	Name: "Jane Roe", Addresses: []string{"jane.roe@realmail.example", "jroe@work.example", "jr@bücher.example"},
	RelayDomain: "msg.example.com", RelayURL: "https://msg.example.com",
}

// TestProperty: no identifier that is planted anywhere outside of new text, in
// whatever encoding, is found again in what Rewrite makes of a random message,
// neither by Check nor by decoding everything and looking for its letters.
func TestProperty(t *testing.T) {
	n := trees
	if s := os.Getenv("SANITIZE_TREES"); s != "" {
		n, _ = strconv.Atoi(s)
	} else if testing.Short() {
		n = 300
	}
	refused := 0
	for seed := range n {
		g := &grower{Rand: rand.New(rand.NewPCG(uint64(seed), 7)), other: "sam@else.example"}
		raw := g.message()
		o := Options{Identity: planted, Typed: []Typed{TypedAllow, TypedRedact, TypedRefuse}[g.IntN(3)], Domain: "msg.example.com", Preface: "About: Ophelia in Hamlet"}
		var out bytes.Buffer
		res, err := Rewrite(&out, bytes.NewReader(raw), o)
		if isRefusal(err) {
			refused++
			continue
		} else if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, raw)
		}
		header := append([]byte("Subject: "+res.Subject+"\r\n"), res.MIMEFields...)
		id := o.Identity
		id.Hosts = res.Hosts
		if err := Check(header, bytes.NewReader(out.Bytes()), id, o.Typed); err != nil {
			t.Fatalf("seed %d (%s): %v\n%s\n=====\n%s", seed, o.Typed, err, raw, out.Bytes())
		}
		if err := canonical(out.Bytes()); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, out.Bytes())
		}
		if left := survivors(t, header, out.Bytes()); left != "" {
			t.Fatalf("seed %d (%s): %s survives\n%s\n=====\n%s", seed, o.Typed, left, raw, out.Bytes())
		}
	}
	if refused > n/3 {
		t.Errorf("%d of %d were refused", refused, n)
	}
}

// canonical checks line ends, line lengths and that all is 7-bit.
func canonical(b []byte) error {
	for i, line := range bytes.SplitAfter(b, []byte("\n")) {
		if len(line) > 1000 {
			return fmt.Errorf("line %d has %d octets", i+1, len(line))
		}
		if bytes.HasSuffix(line, []byte("\n")) && !bytes.HasSuffix(line, []byte("\r\n")) || bytes.IndexByte(bytes.TrimSuffix(line, []byte("\r\n")), '\r') >= 0 {
			return fmt.Errorf("line %d does not end in CRLF", i+1)
		}
		for _, c := range line {
			if c >= 0x80 || c == 0 {
				return fmt.Errorf("line %d is not 7-bit", i+1)
			}
		}
	}
	return nil
}

// secrets are what must not survive, of letters and digits only.
var secrets = []string{
	"janeroerealmailexample", "jroeworkexample", "k3x9qdm2w7", "realmailexample", "jrbcherexample", "xnbcherkva", "tok3nq8z7", "laptophome", "1920277",
}

var anyTag = regexp.MustCompile(`(?s)<[^<>]*>`)

// survivors decodes everything and returns the first secret that is left.
func survivors(t *testing.T, header, body []byte) string {
	found := ""
	look := func(s string) {
		s = strings.ReplaceAll(s, "+AEA-", "@")
		for range 4 {
			s = norm.NFKC.String(s)
			for _, v := range []string{s, anyTag.ReplaceAllString(s, "")} {
				letters := strings.Map(func(r rune) rune {
					if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
						return r
					}
					return -1
				}, strings.ToLower(v))
				for _, secret := range secrets {
					if strings.Contains(letters, secret) && found == "" {
						found = secret
					}
				}
			}
			s = html.UnescapeString(s)
			if u, err := url.PathUnescape(s); err == nil {
				s = u
			}
		}
	}
	var walk func(kind, encoding string, r io.Reader)
	walk = func(kind, encoding string, r io.Reader) {
		look(kind)
		mt, list, err := mime.ParseMediaType(kind)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(mt, "multipart/") {
			mr := multipart.NewReader(r, list["boundary"])
			for {
				p, err := mr.NextRawPart()
				if errors.Is(err, io.EOF) {
					return
				} else if err != nil {
					t.Fatal(err)
				}
				for _, v := range p.Header {
					look(v[0])
				}
				look(p.FileName())
				walk(p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p)
			}
		}
		switch encoding {
		case "base64":
			r = base64.NewDecoder(base64.StdEncoding, r)
		case "quoted-printable":
			r = quotedprintable.NewReader(r)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if mt == "message/rfc822" {
			head, rest, _ := bytes.Cut(b, []byte("\r\n\r\n"))
			look(string(head))
			walk(rawField(head, "Content-Type"), rawField(head, "Content-Transfer-Encoding"), bytes.NewReader(rest))
			return
		}
		look(string(b))
		look(string(bytes.ReplaceAll(b, []byte{0}, nil)))
	}
	look(string(header))
	walk(rawField(header, "Content-Type"), rawField(header, "Content-Transfer-Encoding"), bytes.NewReader(body))
	look(string(body))
	return found
}
