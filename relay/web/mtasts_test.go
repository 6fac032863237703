package web

import (
	"io"
	"net/http"
	"testing"
)

func TestTheSTSPolicyIsAtItsHostOnly(t *testing.T) {
	const policy = "version: STSv1\r\nmode: enforce\r\nmx: mx.msg.example.com\r\nmax_age: 86400\r\n"
	b := newConnect(t, allPorts)
	for _, c := range []struct {
		host, policy string
		status       int
	}{
		{"mta-sts.msg.example.com", policy, 200},
		{"MTA-STS.msg.example.com:443", policy, 200},
		{"msg.example.com", policy, 404},
		{"mta-sts.other.example", policy, 404},
		{"mta-sts.msg.example.com", "", 404},
	} {
		b.s.o.STSPolicy = c.policy
		r, err := http.NewRequest("GET", b.base+"/.well-known/mta-sts.txt", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = c.host
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != c.status || c.status == 200 && (string(text) != policy || res.Header.Get("Content-Type") != "text/plain; charset=utf-8") {
			t.Errorf("%s: %d %q, want %d", c.host, res.StatusCode, text, c.status)
		}
	}
}
