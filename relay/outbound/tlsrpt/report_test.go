package tlsrpt

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"flag"
	"io"
	"mime"
	"mime/multipart"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", file, got)
	}
}

var day = time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)

// aDay is what a domain with a policy might get.
func aDay(t *testing.T) []store.TLSResult {
	t.Helper()
	sts := Policy{Type: "sts", String: []string{"version: STSv1", "mode: testing", "mx: *.mail.example.com", "max_age: 86400"}, Domain: "example.com", MXHost: []string{"*.mail.example.com"}}
	dane := Policy{Type: "tlsa", String: []string{"3 1 1 abababababababababababababababababababababababababababababababab"}, Domain: "example.com", MXHost: []string{"mx1.mail.example.com"}}
	var list []store.TLSResult
	add := func(n int64, x Result) {
		text, err := json.Marshal(x)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, store.TLSResult{Domain: "example.com", Detail: string(text), Count: n})
	}
	add(5326, Result{Policy: sts})
	add(100, Result{Policy: sts, Failure: &Failure{"certificate-expired", "2001:db8:abcd:12::1", "mx1.mail.example.com", "192.0.2.7"}})
	add(3, Result{Policy: sts, Failure: &Failure{Type: "validation-failure", ReceivingMX: "mx.other.example"}})
	add(1, Result{Policy: dane, Failure: &Failure{"starttls-not-supported", "198.51.100.7", "mx1.mail.example.com", "192.0.2.7"}})
	return list
}

func TestReport(t *testing.T) {
	r, err := newReport("msg.example.com", "postmaster@msg.example.com", "0123abcd", day, aDay(t))
	if err != nil {
		t.Fatal(err)
	}
	compressed, err := r.compressed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := decompress(compressed)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", text)

	header, body := r.mail("example.com", "msg.example.com", "reports@example.com", []byte("(the report)"), day.Add(26*time.Hour))
	golden(t, "report.eml", append(header, body...))
}

// The mail is read with other code than wrote it.
func TestMailParses(t *testing.T) {
	r, err := newReport("msg.example.com", "postmaster@msg.example.com", "0123abcd", day, aDay(t))
	if err != nil {
		t.Fatal(err)
	}
	compressed, err := r.compressed()
	if err != nil {
		t.Fatal(err)
	}
	text, err := readMail(r.mail("example.com", "msg.example.com", "reports@example.com", compressed, day))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "report.json", text)
}

// readMail returns the report that a mail holds.
func readMail(header, body []byte) ([]byte, error) {
	m, err := netmail.ReadMessage(io.MultiReader(bytes.NewReader(header), bytes.NewReader(body)))
	if err != nil {
		return nil, err
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := parts.NextPart()
		if err != nil {
			return nil, err
		}
		if p.Header.Get("Content-Type") != "application/tlsrpt+gzip" {
			continue
		}
		data, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, p))
		if err != nil {
			return nil, err
		}
		return decompress(data)
	}
}

func decompress(data []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func TestFileName(t *testing.T) {
	r, err := newReport("msg.example.com", "", "0123", day, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.fileName("example.com", "msg.example.com"); got != "msg.example.com!example.com!1775001600!1775087999!0123.json.gz" || strings.Contains(got, "/") {
		t.Error(got)
	}
}
