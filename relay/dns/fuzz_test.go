package dns

import (
	"strings"
	"testing"
)

// Whatever is published is compared, and what is wrong with it is told.
func FuzzCompare(f *testing.F) {
	wanted := []Record{
		{Type: "MX", Value: "10 mx.example."},
		{Type: "SRV", Value: "0 1 993 mx.example."},
		{Type: "SRV", Value: "0 0 0 ."},
		{Type: "CAA", Value: `0 issue "letsencrypt.org"`},
		{Type: "TXT", Value: "v=spf1 mx a:smtp.provider.example -all"}, // the other kind is looked up
		{Type: "TXT", Value: "v=DKIM1; k=rsa; p=MII"},
		{Type: "TXT", Value: "v=DMARC1; p=reject; adkim=s; aspf=s"},
		{Type: "TXT", Value: "v=STSv1; id=1"},
		{Type: "TXT", Value: "v=TLSRPTv1; rua=mailto:x@mx.example"},
	}
	for _, got := range []string{"0 .", "0 1 993", `128 ISSUE ";"`, "v=spf1 include:_spf.x.example ?all", "k=rsa;; p = M I I ; t=y:s", "v=STSv1 ; id", "v=DMARC1;p=none;pct=x"} {
		f.Add(got)
	}
	c := &checker{}
	f.Fuzz(func(t *testing.T, got string) {
		for _, rec := range wanted {
			found := []string{got}
			if rec.Type == "TXT" {
				found = sameKind(rec.Value, found)
			}
			if len(found) == 0 {
				continue
			}
			state, problem := c.compare(t.Context(), rec, found)
			if state == Unknown || (state == Right) != (problem == "") {
				t.Errorf("%s %q for %q: %q", state, got, rec.Value, problem)
			}
			if state, problem := c.compare(t.Context(), rec, []string{strings.Clone(rec.Value)}); state != Right {
				t.Errorf("%q is not what it is: %s", rec.Value, problem)
			}
		}
	})
}
