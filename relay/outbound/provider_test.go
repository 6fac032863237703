package outbound

import (
	"context"
	"slices"
	"testing"
)

func TestProviderOf(t *testing.T) {
	for host, want := range map[string]string{
		"gmail-smtp-in.l.google.com":                 "google",
		"ALT1.ASPMX.L.Google.com":                    "google",
		"agency-example.mail.protection.outlook.com": "microsoft",
		"outlook-com.olc.protection.outlook.com":     "microsoft",
		"agency-example.b-v1.mx.microsoft":           "microsoft",
		"mta5.am0.yahoodns.net":                      "yahoo",
		"mx01.mail.icloud.com":                       "apple",
		"mx.agency.example":                          "other",
		"notgoogle.com":                              "other",
		"google.com.evil.example":                    "other",
		"":                                           "other",
	} {
		if got := providerOf(hop{host: host}); got != want || !slices.Contains(Providers, got) {
			t.Errorf("%s is %s, want %s", host, got, want)
		}
	}
	if got := providerOf(hop{host: "gmail-smtp-in.l.google.com", next: &nextHop{}}); got != "relay" {
		t.Errorf("a smarthost is %s", got)
	}
}

// send is sendBy where it does not matter whose server it was.
func (q *Queue) send(ctx context.Context, destination string, l letter) error {
	_, err := q.sendBy(ctx, destination, l)
	return err
}
