package tlsrpt

import (
	"net/url"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
)

// maxPlaces bounds to how many places one domain's report goes.
const maxPlaces = 2

// ParseRecord returns where a domain wants its reports, out of the TXT records
// at _smtp._tls.DOMAIN: mail addresses, and URLs that begin with https:. Unless
// exactly one record is of this kind, it wants none (RFC 8460 section 3).
func ParseRecord(records []string) []string {
	var places []string
	found := 0
	for _, r := range records {
		version, rest, _ := strings.Cut(r, ";")
		if strings.TrimSpace(version) != "v=TLSRPTv1" {
			continue
		}
		if found++; found > 1 {
			return nil
		}
		places = recordPlaces(rest)
	}
	return places
}

func recordPlaces(fields string) []string {
	var places []string
	for _, field := range strings.Split(fields, ";") {
		name, value, _ := strings.Cut(field, "=")
		if strings.TrimSpace(name) != "rua" {
			continue
		}
		for _, uri := range strings.Split(value, ",") {
			if p := place(strings.TrimSpace(uri)); p != "" && len(places) < maxPlaces {
				places = append(places, p)
			}
		}
		break
	}
	return places
}

// place is where a URI leads; empty: nowhere that we go to.
func place(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || len(uri) > 1000 {
		return ""
	}
	switch u.Scheme {
	case "mailto":
		address, err := url.PathUnescape(u.Opaque)
		if err != nil {
			return ""
		}
		if _, _, err := threading.SplitAddress(address); err != nil || strings.ContainsAny(address, " ,<>\"") {
			return ""
		}
		return address
	case "https":
		if u.Hostname() == "" || u.User != nil {
			return ""
		}
		return u.String()
	}
	return ""
}
