package tlsrpt

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestPost(t *testing.T) {
	var got string
	status := 200
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Content-Type") + " " + string(b)
		if status == 302 {
			http.Redirect(w, r, "/elsewhere", status)
			return
		}
		w.WriteHeader(status)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	anywhere := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	post := func(p *Poster) error { return p.Post(context.Background(), srv.URL+"/v1", []byte("report")) }

	for code, want := range map[int]string{200: "", 201: "", 302: "refused", 404: "refused", 500: "answers 500", 503: "answers 503", 429: "answers 429"} {
		status = code
		err := post(NewPoster(nil, roots, anywhere))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) || errors.Is(err, ErrRefused) != (want == "refused") {
			t.Errorf("%d: %v", code, err)
		}
		if got != "POST /v1 application/tlsrpt+gzip report" {
			t.Errorf("it got %q", got)
		}
	}
	got = ""
	if err := post(NewPoster(nil, roots, nil)); err == nil || !strings.Contains(err.Error(), "not public") || errors.Is(err, ErrRefused) || got != "" {
		t.Errorf("an address of our own network: %v, %q", err, got)
	}
	if err := post(NewPoster(nil, nil, anywhere)); err == nil || !strings.Contains(err.Error(), "certificate") || got != "" {
		t.Errorf("a certificate that nobody trusts: %v, %q", err, got)
	}
	if err := NewPoster(nil, roots, anywhere).Post(context.Background(), "https://%zz", nil); !errors.Is(err, ErrRefused) {
		t.Errorf("no URL: %v", err)
	}
}
