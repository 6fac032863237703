package outbound

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay/outbound/tlsrpt"
	"github.com/stagedoor/stagedoor/threading/store"
)

// TestTLSReport follows results from the connections to the report, on both its
// ways: a day with a good server and a bad one, then the report, by mail and by
// HTTPS, signed, through the same queue.
func TestTLSReport(t *testing.T) {
	ca := newAuthority(t)
	s := newSite(t)
	x, _ := ca.mx("self", "mx.x.example")
	good := sinkAt(t, "127.0.0.2", x.port, nil)
	posted := make(chan []byte, 10)
	web := ca.policyHost("x.example", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			b, _ := io.ReadAll(r.Body)
			posted <- b
			w.WriteHeader(http.StatusCreated)
			return
		}
		plainText(policyText("enforce", "mx.x.example"))(w, r)
	})
	resolver := serveDNS(t, `
x.example. MX 10 mx.x.example.
mx.x.example. A 127.0.0.1
mta-sts.x.example. A 127.0.0.1
_mta-sts.x.example. TXT "v=STSv1; id=1"
_smtp._tls.x.example. TXT "v=TLSRPTv1; rua=mailto:tls@x.example,https://mta-sts.x.example:`+portOf(web)+`/reports"
plain.example. MX 10 mx.plain.example.
mx.plain.example. A 127.0.0.2
`)
	keys := newRing(t)
	o := Options{Resolver: resolver, Port: x.port, RootCAs: ca.roots(), PolicyPort: web, CountTLS: true, Signer: keys.Signer()}
	q := s.queue(o)
	s.write(s.member("tess", "Tess.Private@x.example"), "Hello\r\n")
	s.write(s.member("olga", "olga@plain.example"), "Hello\r\n")
	stop := s.run(q)
	s.rows("waiting", func(r []store.Delivery) bool { return len(r) == 1 && s.waiting(r) })
	stop() // the counts are in the store now

	s.ahead.Store(int64(30 * time.Hour))
	reporter := tlsrpt.NewReporter(tlsrpt.ReporterOptions{Store: s.Store, Domain: domain, LookupTXT: q.resolver.LookupTXT, Now: s.now})
	for range 2 {
		if err := reporter.Report(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := s.Queue(t.Context(), 10)
	if err != nil || len(rows) != 3 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if err := s.Drop(t.Context(), rows[0].ID); err != nil { // Tess's
		t.Fatal(err)
	}
	q = s.queue(o)
	stop = s.run(q)
	// The report goes although the server is not as the policy wants.
	mail := x.messages(t, 1)[0]
	s.rows("empty", empty)
	stop()
	if mail.to != "tls@x.example" || !mail.tls || header(mail.raw, "TLS-Report-Domain") != "x.example" || header(mail.raw, "TLS-Report-Submitter") != domain ||
		header(mail.raw, "TLS-Required") != "No" || header(mail.raw, "Auto-Submitted") != "auto-generated" {
		t.Errorf("to %s, TLS %v:\n%s", mail.to, mail.tls, mail.raw)
	}
	verify(t, mail.raw, keys)
	_, attached, _ := bytes.Cut(mail.raw, []byte(".json.gz\"\r\n\r\n"))
	attached, _, _ = bytes.Cut(attached, []byte("\r\n\r\n--"))
	mailed, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(attached), "\r\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	for way, data := range map[string][]byte{"mail": mailed, "HTTPS": <-posted} {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatalf("%s: %v", way, err)
		}
		text, err := io.ReadAll(z)
		if err != nil {
			t.Fatalf("%s: %v", way, err)
		}
		for _, want := range []string{`"policy-type": "sts"`, `"mx: mx.x.example"`, `"total-failure-session-count": 1`, `"result-type": "certificate-not-trusted"`, `"receiving-ip": "127.0.0.1"`, `"sending-mta-ip": "127.0.0.1"`} {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: %s is missing in\n%s", way, want, text)
			}
		}
		for _, secret := range []string{"Private", "tess", "olga", "plain.example", "@x.example"} {
			if strings.Contains(strings.ToLower(string(text)), strings.ToLower(secret)) {
				t.Errorf("%s: the report holds %s:\n%s", way, secret, text)
			}
		}
	}
	if len(posted) != 0 || good.count() != 1 {
		t.Errorf("%d reports more, %d messages at the other server", len(posted), good.count())
	}
	// The reports' own deliveries are in no report.
	s.ahead.Add(int64(24 * time.Hour))
	if days, err := s.TLSDays(t.Context(), s.now(), store.TLSDay{}, 10); err != nil || len(days) != 0 {
		t.Errorf("%d domains have something to report, %v", len(days), err)
	}
	if log := s.logged(); strings.Contains(log, "x.example") || strings.Contains(log, "plain.example") {
		t.Errorf("the log names a domain:\n%s", log)
	}
}

// TestReportRefused: what a web server says of a report decides whether it is
// tried again; the reason names no place.
func TestReportRefused(t *testing.T) {
	for status, want := range map[int]string{503: "the receiving web server answers 503", 404: "the report is refused by the receiving web server: 404"} {
		ca := newAuthority(t)
		s := newSite(t)
		web := ca.policyHost("x.example", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		s.ahead.Store(0)
		if err := s.CountTLS(t.Context(), s.now(), []store.TLSResult{{Domain: "x.example", Detail: `{"policy":{"policy-type":"sts","policy-domain":"x.example"}}`, Count: 1}}); err != nil {
			t.Fatal(err)
		}
		s.ahead.Store(int64(30 * time.Hour))
		q := s.queue(Options{
			Resolver: serveDNS(t, "mta-sts.x.example. A 127.0.0.1\n_smtp._tls.x.example. TXT \"v=TLSRPTv1; rua=https://mta-sts.x.example:"+portOf(web)+"/\"\n"),
			RootCAs:  ca.roots(),
		})
		if err := tlsrpt.NewReporter(tlsrpt.ReporterOptions{Store: s.Store, Domain: domain, LookupTXT: q.resolver.LookupTXT, Now: s.now}).Report(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop := s.run(q)
		if status == 503 {
			if r := s.rows("waiting", func(r []store.Delivery) bool { return len(r) == 1 && s.waiting(r) })[0]; r.LastError != want {
				t.Errorf("%d: waits because of %q", status, r.LastError)
			}
			stop()
			continue
		}
		s.rows("empty", empty)
		stop()
		if list := s.records(); len(list) != 1 || list[0].Note != want {
			t.Errorf("%d: %+v", status, list)
		}
	}
}
