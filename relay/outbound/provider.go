package outbound

import "strings"

// Providers are what Options.Observe calls those who receive most of the mail;
// everybody else is "other", and a host of the operator's own choice "relay". A
// receiving domain is told to nobody: it may stand for one member.
var Providers = []string{"google", "microsoft", "yahoo", "apple", "relay", "other"}

// providerHosts are the domains that the MX hosts of the large providers are in,
// for their own domains and for those of their customers.
var providerHosts = map[string]string{
	"google.com": "google", "googlemail.com": "google",
	"outlook.com": "microsoft", "hotmail.com": "microsoft", "mx.microsoft": "microsoft",
	"yahoodns.net": "yahoo",
	"icloud.com":   "apple",
}

// providerOf tells whose host a hop is.
func providerOf(h hop) string {
	if h.next != nil {
		return "relay"
	}
	for name := strings.ToLower(h.host); name != ""; _, name, _ = strings.Cut(name, ".") {
		if p := providerHosts[name]; p != "" {
			return p
		}
	}
	return "other"
}
