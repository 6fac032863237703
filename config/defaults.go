package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Default returns the defaults, as relay.toml.example shows them. Only Domain
// is missing.
func Default() *Config {
	return &Config{
		Brand: "Backstage", BrandColor: "#7a1f2b", Language: "en",
		Storage: Storage{
			DSN:     "sqlite:/var/lib/stagedoor/stagedoor.db",
			KeyFile: "/var/lib/stagedoor/secret.key",
		},
		SMTP:       SMTP{Listen: []string{"0.0.0.0:25"}, MaxMessageSize: 25 * MB, MTASTS: STSTesting},
		LMTP:       LMTP{Listen: []string{}},
		Submission: Submission{Listen: []string{"0.0.0.0:587"}, ListenTLS: []string{"0.0.0.0:465"}},
		IMAP:       IMAP{Listen: []string{"0.0.0.0:143"}, ListenTLS: []string{"0.0.0.0:993"}, Disabled: []string{}},
		HTTP:       HTTP{Listen: []string{"127.0.0.1:8080"}, ListenTLS: []string{}, EmbedOrigins: []string{}},
		Webhooks:   Webhooks{AllowNetworks: []string{}},
		Metrics:    Metrics{Listen: []string{}},
		TLS:        TLS{ACMEDirectory: "https://acme-v02.api.letsencrypt.org/directory"},
		Outbound: Outbound{
			Routes: map[string]string{}, RoutePasswordFiles: map[string]string{}, SourceAddresses: []string{}, MaxAge: Duration(5 * 24 * time.Hour),
			Connections: 64, ConnectionsPerDomain: 5, RatePerDomain: 600, SmarthostConnections: 16, TLSReports: true, AllowNetworks: []string{},
		},
		Notify:     Notify{MaxAttachment: 10 * MB},
		DKIM:       DKIM{Selector: "stagedoor"},
		SenderAuth: SenderAuth{Policy: PolicyAligned, ARCSealers: []string{}, HoldDays: 7},
		DNS:        DNS{Addresses: []string{}},
		Privacy:    Privacy{TypedAddress: TypedAllow, RemoteImages: RemoteKeep},
		Threads:    Threads{OutOfOffice: OutOfOfficeFile, ExpireDays: 730},
		Safety:     Safety{SameText: SameTextReport, SameTextRecipients: 100, SameTextWriters: 2, Caution: true, RefusedExtensions: strings.Fields(programs), RefusedContents: slices.Clone(refusable), LookAlikeHandles: LookAlikesRefuse},
		Scan:       Scan{TimeoutSeconds: 10, OnFailure: FailOpen, Virus: ScanRefuse, Spam: ScanRefuse, Suspect: ScanMark},
		Limits: Limits{APIPerMinute: 6000, MaxRecipients: 100, Connections: 10000, ConnectionsPerIP: 50, SessionsPerMember: 50,
			NewThreadsPerHour: 60, NewThreadsPerDay: 300, NewMemberDays: 7, NewMemberPerHour: 10, NewMemberPerDay: 30, MessagesPerHour: 300,
			FormsPerHour: 120, FormsPerIP: 240},
		Log: Log{Level: "info", Format: "text"},
	}
}

// programs are the extensions of files that run when they are opened.
const programs = "ade adp apk app appinstaller application appx appxbundle bat chm cmd com command cpl deb desktop diagcab dll dmg exe gadget hta img inf ins iso isp " +
	"jar jnlp js jse lib library-ms lnk mde msc msh msi msix msixbundle msp mst nsh pif pkg ps1 ps1xml ps2 psc1 psd1 psm1 reg rpm run scf scr sct search-ms settingcontent-ms " +
	"sh shb sys terminal url vb vbe vbs vhd vhdx vxd workflow wsc wsf wsh xll"

// DevDomain is the domain of Dev where none is given. RFC 6761 section 6.3
// keeps localhost and what is below it on this machine.
const DevDomain = "msg.localhost"

// dev returns the defaults for trying things out: every listener on loopback
// above port 1024, data below the working directory, passwords without TLS, no
// bound on how much is written, and nothing leaves the machine (a mail catcher is expected on port 1025).
func dev(domain string) *Config {
	c := Default()
	c.Domain = domain
	c.Storage = Storage{DSN: "sqlite:stagedoor-data/stagedoor.db", KeyFile: "stagedoor-data/secret.key"}
	c.SMTP.Listen = []string{"127.0.0.1:2525"}
	c.Submission = Submission{Listen: []string{"127.0.0.1:2587"}, ListenTLS: []string{"127.0.0.1:2465"}, AllowInsecureAuth: true}
	c.IMAP = IMAP{Listen: []string{"127.0.0.1:2143"}, ListenTLS: []string{"127.0.0.1:2993"}, AllowInsecureAuth: true, Disabled: []string{}}
	c.HTTP.Listen = []string{"127.0.0.1:2080"}
	c.Outbound.Smarthost = "smtp://127.0.0.1:1025"
	c.SenderAuth.Policy = PolicyEnvelope
	c.Limits.NewThreadsPerHour, c.Limits.NewThreadsPerDay, c.Limits.NewMemberDays, c.Limits.MessagesPerHour = 0, 0, 0, 0
	c.Limits.FormsPerHour, c.Limits.FormsPerIP = 0, 0
	return c
}

// Dev returns a checked configuration for trying things out on one machine:
// see LoadDev. An empty domain is DevDomain.
func Dev(domain string) (*Config, error) { return LoadDev("", domain) }

// complete derives what was left empty and makes paths relative to base.
func (c *Config) complete(base string) {
	if c.Hostname == "" {
		c.Hostname = "mx." + c.Domain
	}
	under := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(base, path)
	}
	if path, ok := strings.CutPrefix(c.Storage.DSN, sqlitePrefix); ok {
		c.Storage.DSN = sqlitePrefix + under(path)
	}
	if c.Storage.TempDir == "" {
		c.Storage.TempDir = filepath.Join(filepath.Dir(c.Storage.Path()), "tmp")
	}
	if c.DKIM.KeyFile == "" {
		c.DKIM.KeyFile = filepath.Join(filepath.Dir(c.Storage.KeyFile), "dkim-"+c.DKIM.Selector+".pem")
	}
	for _, path := range []*string{
		&c.Storage.KeyFile, &c.Storage.TempDir, &c.HTTP.APITokenFile, &c.TLS.CertFile, &c.TLS.KeyFile, &c.TLS.ACMECAFile, &c.Notify.Templates,
		&c.Outbound.SmarthostPasswordFile, &c.DKIM.KeyFile, &c.Safety.CautionFile,
	} {
		*path = under(*path)
	}
	for domain, file := range c.Outbound.RoutePasswordFiles {
		c.Outbound.RoutePasswordFiles[domain] = under(file)
	}
	for _, list := range [][]string{c.LMTP.Listen, c.HTTP.Listen, c.Metrics.Listen} {
		for i, address := range list {
			if path, ok := strings.CutPrefix(address, unixPrefix); ok {
				list[i] = unixPrefix + under(path)
			}
		}
	}
}

const (
	sqlitePrefix = "sqlite:"
	unixPrefix   = "unix:"
)

// Path is the database's file.
func (s Storage) Path() string { return strings.TrimPrefix(s.DSN, sqlitePrefix) }

// Networks are the networks that webhooks may be in though they are not public.
func (w Webhooks) Networks() []netip.Prefix { return networks(w.AllowNetworks) }

// Networks are those of AllowNetworks.
func (o Outbound) Networks() []netip.Prefix { return networks(o.AllowNetworks) }

func networks(written []string) []netip.Prefix {
	var list []netip.Prefix
	for _, network := range written {
		if p, err := netip.ParsePrefix(network); err == nil { // checked
			list = append(list, p.Masked())
		}
	}
	return list
}

// Listener splits a listen address into what net.Listen takes.
func Listener(address string) (network, addr string) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		return "unix", path
	}
	return "tcp", address
}

// Loopback reports whether a listen address can be reached from this machine
// only.
func Loopback(address string) bool {
	network, addr := Listener(address)
	if network == "unix" {
		return true
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
