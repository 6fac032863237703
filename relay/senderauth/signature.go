package senderauth

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
)

// What go-msgauth does for DKIM, for the signatures of ARC, which it does not
// know.

// minRSA is the smallest RSA key that is believed, in bits (RFC 8301 section
// 3.2).
const minRSA = 1024

var errKeyTemporary = errors.New("the key could not be asked for")

// canonicalization is how a signature sees the message (RFC 6376 section 3.4).
type canonicalization struct {
	relaxedHeader bool
	body          bodyCanonicalization
}

type bodyCanonicalization bool

const relaxedBody bodyCanonicalization = true

// canonicalizations reads the c= tag of an ARC signature. Where it has none,
// sealers mean relaxed: RFC 8617 says nothing, and its test suite so.
func canonicalizations(tags map[string]string) (canonicalization, error) {
	c, ok := tags["c"]
	if !ok {
		return canonicalization{relaxedHeader: true, body: relaxedBody}, nil
	}
	header, body, slash := strings.Cut(c, "/")
	if !slash {
		body = "simple" // RFC 6376 section 3.5
	}
	var out canonicalization
	for _, x := range []struct {
		name    string
		relaxed *bool
	}{{header, &out.relaxedHeader}, {body, (*bool)(&out.body)}} {
		switch strings.TrimSpace(x.name) {
		case "relaxed":
			*x.relaxed = true
		case "simple":
		default:
			return out, errARC
		}
	}
	return out, nil
}

// field is a field without its line end.
func (c canonicalization) field(f field) string {
	if !c.relaxedHeader {
		return strings.TrimRight(f.raw, "\r\n")
	}
	value := strings.Join(strings.FieldsFunc(f.unfolded(), func(r rune) bool { return r == ' ' || r == '\t' || r == '\r' || r == '\n' }), " ")
	return strings.ToLower(f.name) + ":" + value
}

// unfolded is a field's value as it stands in the message, without line ends.
func (f field) unfolded() string {
	_, value, _ := strings.Cut(f.raw, ":")
	return strings.NewReplacer("\r\n", "", "\n", "").Replace(value)
}

// withoutSignature is a signature field with an empty b= tag (RFC 6376 section
// 3.7).
func withoutSignature(f field) field {
	name, value, _ := strings.Cut(f.raw, ":")
	parts := strings.Split(value, ";")
	for i, p := range parts {
		tag, _, ok := strings.Cut(p, "=")
		if ok && strings.TrimSpace(tag) == "b" {
			parts[i] = tag + "="
			if i == len(parts)-1 { // the line end is not the value's
				break
			}
		}
	}
	f.raw = name + ":" + strings.TrimRight(strings.Join(parts, ";"), "\r\n")
	return f
}

// chosen are the fields that h= names, each name the next one from the bottom;
// names beyond what there is stand for nothing (RFC 6376 section 5.4.2).
func chosen(header []field, names []string) []field {
	used := map[string]int{}
	var list []field
	for _, name := range names {
		name = strings.ToLower(name)
		skip := used[name]
		used[name]++
		for i := len(header) - 1; i >= 0; i-- {
			if !strings.EqualFold(header[i].name, name) {
				continue
			}
			if skip == 0 {
				list = append(list, header[i])
				break
			}
			skip--
		}
	}
	return list
}

// verifyBody compares the body's hash.
func verifyBody(message io.Reader, canon bodyCanonicalization, want string) error {
	hash, err := base64.StdEncoding.DecodeString(withoutSpace(want))
	if err != nil {
		return errARC
	}
	br := bufio.NewReaderSize(message, 16<<10)
	for { // the header
		line, err := br.ReadSlice('\n')
		if err == io.EOF {
			break
		} else if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if len(strings.Trim(string(line), "\r\n")) == 0 {
			break
		}
	}
	h := sha256.New()
	if err := canon.copy(h, br); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(h.Sum(nil), hash) != 1 {
		return errARC
	}
	return nil
}

// copy writes a body as a signature sees it: lines end in CRLF, empty lines at
// the end are left out; relaxed also takes the white space within and at the
// end of lines together.
func (relaxed bodyCanonicalization) copy(w io.Writer, br *bufio.Reader) error {
	bw := bufio.NewWriterSize(w, 16<<10)
	empty, any := 0, false
	space, text := false, false // of the line so far
	for {
		c, err := br.ReadByte()
		if err != nil && err != io.EOF {
			return err
		}
		ended := err == io.EOF
		switch {
		case ended && !text && !space:
		case ended || c == '\n':
			if text || space && !bool(relaxed) {
				_, _ = bw.WriteString("\r\n")
			} else {
				empty++
			}
			space, text = false, false
		case c == '\r':
			if next, _ := br.Peek(1); len(next) == 1 && next[0] == '\n' {
				continue
			}
			fallthrough
		case !bool(relaxed) || c != ' ' && c != '\t':
			for ; empty > 0; empty-- {
				_, _ = bw.WriteString("\r\n")
			}
			if space && bool(relaxed) {
				_ = bw.WriteByte(' ')
			}
			_ = bw.WriteByte(c)
			space, text, any = false, true, true
		default:
			space = true
		}
		if ended {
			break
		}
	}
	if !any && !bool(relaxed) { // RFC 6376 section 3.4.3: an empty body is one line end
		_, _ = bw.WriteString("\r\n")
	}
	return bw.Flush()
}

// verifySignature verifies data against the key that the tags name.
func (c *Checker) verifySignature(ctx context.Context, tags map[string]string, data string) error {
	signature, err := base64.StdEncoding.DecodeString(withoutSpace(tags["b"]))
	domain, derr := canonicalDomain(tags["d"])
	selector := tags["s"]
	if err != nil || derr != nil || selector == "" || len(selector) > 200 || strings.ContainsAny(selector, " \t") {
		return errARC
	}
	key, err := c.publicKey(ctx, selector+"._domainkey."+domain)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(data))
	switch k := key.(type) {
	case *rsa.PublicKey:
		if tags["a"] == "rsa-sha256" && rsa.VerifyPKCS1v15(k, crypto.SHA256, hash[:], signature) == nil {
			return nil
		}
	case ed25519.PublicKey:
		if tags["a"] == "ed25519-sha256" && ed25519.Verify(k, hash[:], signature) {
			return nil
		}
	}
	return errARC
}

// publicKey asks for a key record (RFC 6376 section 3.6.1, RFC 8463).
func (c *Checker) publicKey(ctx context.Context, name string) (crypto.PublicKey, error) {
	txt, err := c.lookupTXT(ctx)(name)
	var notFound *net.DNSError
	switch {
	case errors.As(err, &notFound) && notFound.IsNotFound:
		return nil, errARC
	case err != nil:
		return nil, errKeyTemporary
	case len(txt) != 1:
		return nil, errARC
	}
	tags, err := tagList(txt[0])
	if err != nil || tags["v"] != "" && tags["v"] != "DKIM1" {
		return nil, errARC
	}
	der, err := base64.StdEncoding.DecodeString(withoutSpace(tags["p"]))
	if err != nil || len(der) == 0 { // an empty p= is a key that was withdrawn
		return nil, errARC
	}
	if tags["k"] == "ed25519" {
		if len(der) != ed25519.PublicKeySize {
			return nil, errARC
		}
		return ed25519.PublicKey(der), nil
	}
	key, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		key, err = x509.ParsePKCS1PublicKey(der) // as some publish it
	}
	if k, ok := key.(*rsa.PublicKey); err == nil && ok && k.N.BitLen() >= minRSA {
		return k, nil
	}
	return nil, errARC
}

func withoutSpace(s string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, s)
}
