package tlsrpt

import (
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

func TestParseRecord(t *testing.T) {
	for _, c := range []struct {
		record string
		want   string // places, by spaces
	}{
		{"v=TLSRPTv1;rua=mailto:reports@example.com", "reports@example.com"},
		{"v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", "https://reporting.example.com/v1/tlsrpt"},
		{"v=TLSRPTv1; rua=mailto:a@example.com , https://r.example.com/ ;", "a@example.com https://r.example.com/"},
		{"v=TLSRPTv1; x=y; rua=mailto:a%2Bb@example.com; rua=mailto:other@example.com", "a+b@example.com"},
		{"v=TLSRPTv1; rua=mailto:a@example.com?subject=x", "a@example.com"},
		{"v=TLSRPTv1; rua=mailto:a@x.example,mailto:b@x.example,mailto:c@x.example", "a@x.example b@x.example"}, // two are enough
		{"v=TLSRPTv1; rua=http://reporting.example.com/", ""},
		{"v=TLSRPTv1; rua=mailto:nobody", ""},
		{"v=TLSRPTv1; rua=mailto:a@example.com%0d%0aRCPT%20TO:b@example.com", ""},
		{"v=TLSRPTv1; rua=mailto:a@example.com%3E%20%3Cb@example.com", ""},
		{"v=TLSRPTv1; rua=https://user:password@example.com/", ""},
		{"v=TLSRPTv1; rua=https:///x", ""},
		{"v=TLSRPTv1; rua=javascript:alert(1)", ""},
		{"v=TLSRPTv1; rua=", ""},
		{"v=TLSRPTv1", ""},
		{"v=TLSRPTv2; rua=mailto:a@example.com", ""},
		{"rua=mailto:a@example.com; v=TLSRPTv1", ""},
		{"", ""},
	} {
		if got := strings.Join(ParseRecord([]string{"v=spf1 -all", c.record}), " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.record, got, c.want)
		}
	}
	if got := ParseRecord([]string{"v=TLSRPTv1; rua=mailto:a@x.example", "v=TLSRPTv1; rua=mailto:b@x.example"}); got != nil {
		t.Errorf("two records: %q", got)
	}
}

// FuzzParseRecord: whatever a domain publishes, a place is an address that may
// stand in an envelope or a URL that begins with https.
func FuzzParseRecord(f *testing.F) {
	f.Add("v=TLSRPTv1;rua=mailto:reports@example.com,https://x.example/y")
	f.Add("v=TLSRPTv1; rua=mailto:a%2Cb@example.com;")
	f.Fuzz(func(t *testing.T, record string) {
		places := ParseRecord([]string{record})
		if len(places) > maxPlaces {
			t.Fatalf("%q has %d places", record, len(places))
		}
		for _, p := range places {
			if strings.ContainsAny(p, "\r\n\x00 <>") {
				t.Fatalf("%q has the place %q", record, p)
			}
			if strings.HasPrefix(p, "https://") {
				continue
			}
			if _, _, err := threading.SplitAddress(p); err != nil {
				t.Fatalf("%q has the place %q: %v", record, p, err)
			}
		}
		if slices.Contains(places, "") {
			t.Fatalf("%q has an empty place", record)
		}
	})
}
