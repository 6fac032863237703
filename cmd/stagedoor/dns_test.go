package main

import (
	"testing"

	"github.com/stagedoor/stagedoor/config"
)

// Only what others reach by HTTPS on its own port is published.
func TestWebHost(t *testing.T) {
	for _, c := range []struct {
		baseURL string
		listen  []string
		want    string
	}{
		{"https://msg.example.com/mail", nil, "msg.example.com"},
		{"https://msg.example.com:443", []string{":8443"}, "msg.example.com"},
		{"https://msg.example.com:8443", []string{":8443"}, ""},
		{"", []string{"192.0.2.25:443"}, "mx.example.com"},
		{"", []string{":8443"}, ""},
		{"http://msg.example.com", nil, ""},
		{"https://192.0.2.25", nil, ""},
		{"", nil, ""},
	} {
		cfg := &config.Config{Hostname: "mx.example.com"}
		cfg.HTTP.BaseURL, cfg.HTTP.ListenTLS = c.baseURL, c.listen
		if got := webHost(cfg); got != c.want {
			t.Errorf("%q, %q: %q, want %q", c.baseURL, c.listen, got, c.want)
		}
	}
}
