package main

import (
	"fmt"
	"testing"

	"github.com/stagedoor/stagedoor/config"
)

// What the internet can't reach is not published as this server's address.
func TestPublicAddresses(t *testing.T) {
	got := publicAddresses([]string{"93.184.216.34:25", "10.0.0.1:25", "100.64.0.1:25", "127.0.0.1:25", "198.18.0.1:25", "[2606:4700::1111]:25", "[fd00::1]:25", "[2002:a00:1::1]:25", "mx.example.com:25", "93.184.216.34:587"})
	if want := "[93.184.216.34 2606:4700::1111]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

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
