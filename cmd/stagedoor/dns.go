package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/relay/certs"
	"github.com/stagedoor/stagedoor/relay/dns"
	"github.com/stagedoor/stagedoor/relay/publicnet"
)

// dnsTime bounds dns check.
const dnsTime = 30 * time.Second

func newDNSCommand(s *site) *cobra.Command {
	return group("dns", "Say what to put into DNS, and whether it is there", newDNSRecordsCommand(s), newDNSCheckCommand(s))
}

// ipFlag adds --ip.
func ipFlag(cmd *cobra.Command) *[]string {
	return cmd.Flags().StringArray("ip", nil, "public address of this server; may be repeated (default: dns.addresses, or what its interfaces have)")
}

func newDNSRecordsCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "records", Short: "Print the records to publish", Args: takes()})
	zone := cmd.Flags().Bool("zone", false, "print lines of a zone file")
	ips := ipFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		records, _, err := s.records(*ips)
		if err != nil {
			return err
		}
		write := dns.WriteTable
		if *zone {
			write = dns.WriteZone
		}
		if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
			write = dns.WriteJSON
		}
		return write(cmd.OutOrStdout(), records)
	}
	return cmd
}

func newDNSCheckCommand(s *site) *cobra.Command {
	cmd := jsonFlag(&cobra.Command{Use: "check", Short: "Say which of the records are published; status 1 if one is missing or wrong",
		Long: "Ask the zone's own name servers, and the resolver, for each record that stagedoor dns records prints, and say\n" +
			"right, missing, different (and in what), propagating (some servers have it, others still have what was\n" +
			"before), or unknown where nobody answers. What matters is compared, not the text: a key may be split in\n" +
			"another way, a policy may say more.",
		Args: takes(),
	})
	ips := ipFlag(cmd)
	serverPort := cmd.Flags().String("server-port", "53", "port of the zone's own servers; for tests")
	_ = cmd.Flags().MarkHidden("server-port") // the flag is there
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		records, cfg, err := s.records(*ips)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), dnsTime)
		defer cancel()
		findings, err := dns.Check(ctx, dns.CheckOptions{Resolver: cfg.DNS.Resolver, Port: *serverPort}, records)
		if err != nil {
			return fmt.Errorf("check the records: %w", err)
		}
		if findings == nil {
			findings = []dns.Finding{}
		}
		if err := show(cmd, findings, func(w io.Writer) {
			for _, f := range findings {
				row(w, string(f.State), f.Type, f.Name, f.Problem)
			}
		}); err != nil {
			return err
		}
		wrong := 0
		for _, f := range findings {
			if f.Wrong() {
				wrong++
			}
		}
		if wrong > 0 {
			return fmt.Errorf("%d of %d records are not as they should be (stagedoor dns records prints them)", wrong, len(findings))
		}
		return nil
	}
	return cmd
}

// records returns the records of the site.
func (s *site) records(ips []string) ([]dns.Record, *config.Config, error) {
	cfg, err := s.config()
	if err != nil {
		return nil, nil, err
	}
	given, err := serverAddresses(cfg, ips)
	if err != nil {
		return nil, nil, err
	}
	ring, err := dkimRing(cfg, nil)
	if err != nil {
		return nil, nil, err
	}
	var keys []dns.DKIMKey
	for _, k := range ring.Records() {
		keys = append(keys, dns.DKIMKey{Selector: k.Selector, Public: k.Private.Public()})
	}
	o := dns.Options{
		DKIM:   keys,
		Domain: cfg.Domain, Hostname: cfg.Hostname, IPs: given,
		SubmissionTLS: port(cfg.Submission.ListenTLS), Submission: port(cfg.Submission.Listen),
		IMAPTLS: port(cfg.IMAP.ListenTLS), IMAP: port(cfg.IMAP.Listen),
	}
	if u, err := url.Parse(cfg.Outbound.Smarthost); err == nil {
		o.Smarthost = u.Hostname()
	}
	o.Web, o.MTASTS = webHost(cfg), stsPolicy(cfg)
	if cfg.TLS.ACMEEmail != "" {
		o.CA = certs.Issuer(cfg.TLS.ACMEDirectory)
	}
	if cfg.Operator != "" {
		o.TLSReports = "postmaster@" + cfg.Domain // which comes to the operator
	}
	records, err := dns.Records(o)
	return records, cfg, err
}

// serverAddresses are the public addresses that --ip names, or else
// those of dns.addresses, or else those that this machine's interfaces show.
func serverAddresses(cfg *config.Config, ips []string) ([]netip.Addr, error) {
	var given []netip.Addr
	for _, text := range ips {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return nil, usagef("--ip %q is not an IP address", text)
		}
		given = append(given, ip)
	}
	for _, text := range cfg.DNS.Addresses {
		if ip, err := netip.ParseAddr(text); err == nil && ips == nil {
			given = append(given, ip)
		}
	}
	if given == nil {
		given = publicAddresses(cfg.SMTP.Listen)
	}
	return given, nil
}

// httpsPort is where others look for a policy and for settings.
const httpsPort = 443

// webHost is the name by which HTTPS, on its own port, reaches the HTTP door;
// empty: none does.
func webHost(cfg *config.Config) string {
	host, at := baseHost(cfg)
	switch {
	case host != "" && at == httpsPort:
		return host
	case host == "" && slices.ContainsFunc(cfg.HTTP.ListenTLS, func(a string) bool { return port([]string{a}) == httpsPort }):
		return cfg.Hostname
	}
	return ""
}

// baseHost is the name and port in http.base_url, if that is by HTTPS.
func baseHost(cfg *config.Config) (host string, port int) {
	u, err := url.Parse(cfg.HTTP.BaseURL)
	if err != nil || u.Scheme != "https" {
		return "", 0
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil {
		return "", 0 // an address is no name
	}
	if port = httpsPort; u.Port() != "" {
		port, _ = strconv.Atoi(u.Port())
	}
	return u.Hostname(), port
}

// stsMaxAge is how long other servers remember the policy: weeks, as RFC 8461
// section 3.2 asks for, are for those that are sure of it.
var stsMaxAge = map[config.STSMode]time.Duration{
	config.STSNone: 24 * time.Hour, config.STSTesting: 24 * time.Hour, config.STSEnforce: 14 * 24 * time.Hour,
}

// stsPolicy is the policy that is served; nil: none is.
func stsPolicy(cfg *config.Config) *dns.STSPolicy {
	if cfg.SMTP.MTASTS == config.STSOff {
		return nil
	}
	return &dns.STSPolicy{Mode: string(cfg.SMTP.MTASTS), MX: cfg.Hostname, MaxAge: stsMaxAge[cfg.SMTP.MTASTS]}
}

// port is the port of the first listen address; 0 for none.
func port(addresses []string) uint16 {
	if len(addresses) == 0 {
		return 0
	}
	_, text, _ := net.SplitHostPort(addresses[0])
	n, _ := strconv.ParseUint(text, 10, 16) // checked by package config
	return uint16(n)
}

// publicAddresses are the addresses at which the internet reaches the
// listeners, as far as this machine's interfaces show them: behind an address
// translation, none.
func publicAddresses(listen []string) []netip.Addr {
	var v4, v6 bool
	var list []netip.Addr
	add := func(ip netip.Addr) {
		ip = ip.Unmap()
		if publicnet.Reachable(ip, nil) && !slices.Contains(list, ip) {
			list = append(list, ip)
		}
	}
	for _, address := range listen {
		host, _, _ := net.SplitHostPort(address)
		ip, err := netip.ParseAddr(host)
		switch {
		case host == "", err == nil && ip == netip.IPv6Unspecified(): // Go listens on both families
			v4, v6 = true, true
		case err == nil && ip.IsUnspecified():
			v4 = true
		case err == nil:
			add(ip)
		}
	}
	interfaces, _ := net.InterfaceAddrs() // an error shows no address, as if there were none
	for _, a := range interfaces {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			if ip := prefix.Addr().Unmap(); ip.Is4() && v4 || ip.Is6() && v6 {
				add(ip)
			}
		}
	}
	return list
}
