package sanitize

import (
	"bytes"
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// hiddenAddress stands for an address that has no name to show.
const hiddenAddress = "[address hidden]"

// hiddenHost stands for a host name that points to the writer.
const hiddenHost = "[hidden]"

// hiddenLink stands for a link that held an identifier.
const hiddenLink = "[link removed]"

// identity is an Identity made ready to search for.
type identity struct {
	name    string
	brand   string
	domains []domain
	hosts   [][]byte
	relay   []byte // domain of the relay's addresses, as a view shows it
	link    []byte // host and path of the relay's links, as a view shows it
	scratch view   // of find: one Rewrite runs in one goroutine
	held    bool   // by the text that find was last called with: something to look at closely
}

// domain is a domain of the writer's, and the local parts at it.
type domain struct {
	name     []byte // as a view shows it
	locals   []string
	personal bool // not a provider's: the domain alone points to the writer
}

// compile prepares an identity. An address is looked for under all names of
// its domain: A-labels, U-labels, and where a provider has two domains, both.
func compile(in *Identity) *identity {
	id := &identity{name: oneLine(in.Name), brand: in.Brand, relay: []byte(fold(in.RelayDomain))}
	if id.name == "" || strings.ContainsAny(id.name, "@<>") {
		id.name = hiddenAddress
	}
	for _, a := range in.Addresses {
		at := strings.LastIndexByte(a, '@')
		if at < 1 || at == len(a)-1 {
			continue
		}
		local, _, _ := strings.Cut(strings.Trim(a[:at], `"`), "+")
		local = strings.ReplaceAll(fold(local), ".", "")
		if local == "" {
			continue
		}
		for _, name := range domainNames(a[at+1:]) {
			id.addLocal(name, local)
		}
		for _, name := range domainNames(organisation(a[at+1:])) {
			id.addLocal(name, "")
		}
	}
	for _, h := range in.Hosts {
		if h = fold(h); len(h) >= 6 {
			id.hosts = append(id.hosts, []byte(h))
		}
	}
	id.hosts = slices.DeleteFunc(id.hosts, func(h []byte) bool {
		return len(id.relay) > 0 && (bytes.HasSuffix(h, id.relay) || within(string(id.relay), string(h))) || sharedProvider(string(h))
	})
	if _, rest, ok := strings.Cut(in.RelayURL, "://"); ok {
		id.link = []byte(fold(strings.TrimRight(rest, "/")))
	}
	return id
}

func (id *identity) addLocal(name, local string) {
	for i := range id.domains {
		d := &id.domains[i]
		if string(d.name) == name {
			if local != "" && !slices.Contains(d.locals, local) {
				d.locals = append(d.locals, local)
			}
			return
		}
	}
	d := domain{name: []byte(name), personal: !sharedProvider(name) && !within(string(id.relay), name)}
	if local != "" {
		d.locals = []string{local}
	} else if !d.personal {
		return
	}
	id.domains = append(id.domains, d)
}

// organisation is the domain that somebody registered, of which name is a
// part: with jane@mail.roe.example, roe.example points to her too.
func organisation(name string) string {
	ascii, err := idna.Punycode.ToASCII(strings.ToLower(strings.TrimSuffix(name, ".")))
	if err != nil {
		return name
	}
	org, err := publicsuffix.EffectiveTLDPlusOne(ascii)
	if err != nil || sharedProvider(org) {
		return name
	}
	return org
}

// within reports whether a host is a domain or below it. The relay's own
// domain points to nobody, nor does that of the house that runs it.
func within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// fold returns s as a view shows it.
func fold(s string) string {
	var v view
	v.read(s)
	return string(v.b)
}

// domainNames are the forms in which a domain may be written, folded.
func domainNames(name string) []string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	list := []string{fold(name)}
	add := func(s string, err error) {
		if s = fold(s); err == nil && s != "" && !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	if strings.Contains(name, "xn--") {
		add(idna.Punycode.ToUnicode(name))
	} else if strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
		add(idna.Punycode.ToASCII(name))
	}
	for _, other := range sameMailbox(name) {
		add(other, nil)
	}
	return list
}
