package config

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const exampleFile = "../relay.toml.example"

// The example is made from the structs; the copy at the top of the repository
// must be what `stagedoor config example` prints.
func TestExampleFileIsGenerated(t *testing.T) {
	b, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, Example()) {
		t.Errorf("%s differs from the structs: go run ./cmd/stagedoor config example > relay.toml.example", exampleFile)
	}
}

func TestExampleHoldsTheDefaults(t *testing.T) {
	got, err := Load(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	want, err := parse("../relay.toml", "domain = \"msg.example.com\"", Default())
	if err != nil {
		t.Fatal(err)
	}
	got.origin, want.origin = origin{}, origin{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example's values are not the defaults:\n got %+v\nwant %+v", got, want)
	}
	for _, f := range fields(Default()) {
		if f.Doc == "" {
			t.Errorf("%s has no documentation", f.Key)
		}
		leaf := f.Key[strings.LastIndexByte(f.Key, '.')+1:]
		if !strings.Contains(string(Example()), "\n"+leaf+" = ") {
			t.Errorf("%s is not in the example", f.Key)
		}
		if !strings.Contains(string(Reference()), "| `"+f.Key+"` |") {
			t.Errorf("%s is not in the reference", f.Key)
		}
	}
}

func TestDerivedValues(t *testing.T) {
	c, err := parse("/etc/stagedoor/relay.toml", `
domain = "Bücher.Example."
[storage]
dsn = "sqlite:data/mail.db"
key_file = "secret.key"
[smtp]
max_message_size = 1048576
[lmtp]
listen = ["unix:lmtp.sock"]
[sender_auth]
trusted_authserv_id = "mx.example.com"
[http]
base_url = "https://msg.example.com/relay/"
embed_origins = ["https://WWW.example.com/", "http://127.0.0.1:3000"]
`, Default())
	if err != nil {
		t.Fatal(err)
	}
	for what, pair := range map[string][2]string{
		"domain":   {c.Domain, "xn--bcher-kva.example"},
		"hostname": {c.Hostname, "mx.xn--bcher-kva.example"},
		"base_url": {c.HTTP.BaseURL, "https://msg.example.com/relay"},
		"origins":  {strings.Join(c.HTTP.EmbedOrigins, " "), "https://www.example.com http://127.0.0.1:3000"},
		"database": {c.Storage.Path(), "/etc/stagedoor/data/mail.db"},
		"key":      {c.Storage.KeyFile, "/etc/stagedoor/secret.key"},
		"temp":     {c.Storage.TempDir, "/etc/stagedoor/data/tmp"},
		"dkim":     {c.DKIM.KeyFile, "/etc/stagedoor/dkim-stagedoor.pem"},
		"lmtp":     {c.LMTP.Listen[0], "unix:/etc/stagedoor/lmtp.sock"},
		"size":     {c.SMTP.MaxMessageSize.String(), "1MB"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s = %q, want %q", what, pair[0], pair[1])
		}
	}
}

// Each case is a document and the errors it makes, all of them, in order.
func TestErrorsNameTheLineAndSayWhatToDo(t *testing.T) {
	for _, c := range []struct {
		name, document string
		want           []string // each a prefix and a word, parted by " … "
	}{
		{"nothing", ``, []string{"relay.toml: domain: is missing … such as domain ="}},
		{"syntax", "domain = \"x.example\"\nhostname = mx\n", []string{"relay.toml:2: hostname: … "}},
		{"twice", "domain = \"x.example\"\ndomain = \"y.example\"\n", []string{"relay.toml:2: domain: … already"}},
		{"unknown key", "domain = \"x.example\"\n[smtp]\nlisten = []\nmax_mesage_size = \"1MB\"\n", []string{"relay.toml:4: smtp.max_mesage_size: unknown key … did you mean smtp.max_message_size?"}},
		{"key in the wrong section", "domain = \"x.example\"\nselector = \"s\"\n", []string{"relay.toml:2: selector: unknown key … did you mean dkim.selector?"}},
		{"unknown section", "domain = \"x.example\"\n\n[databases]\nurl = 1\n", []string{"relay.toml:3: databases: unknown section … config reference"}},
		{"section as value", "domain = \"x.example\"\nsmtp = 25\n", []string{"relay.toml:2: smtp: is a section … [smtp]"}},
		{"value as section", "[domain]\nx = 1\n", []string{"relay.toml:1: domain: must be a string … section"}},
		{"wrong types", "domain = 1\nbrand = [\"x\"]\n[smtp]\nlisten = \"0.0.0.0:25\"\nmax_message_size = 2.5\n[threads]\ngroups = \"yes\"\n[limits]\nmax_recipients = \"5\"\n", []string{
			"relay.toml:1: domain: must be a string … not a number",
			"relay.toml:2: brand: must be a string … not a list",
			"relay.toml:4: smtp.listen: must be a list of strings … not a string",
			"relay.toml:5: smtp.max_message_size: must be a string … decimal",
			"relay.toml:7: threads.groups: must be true or false … not a string",
			"relay.toml:9: limits.max_recipients: must be a whole number … not a string",
		}},
		{"domains", "domain = \"192.0.2.1\"\nhostname = \"mx_1.example\"\n", []string{
			"relay.toml:1: domain: \"192.0.2.1\" is an IP address … name", "relay.toml:2: hostname: \"mx_1.example\" is not a host name … letters",
		}},
		{"domain too long", "domain = \"" + strings.Repeat("a.", 100) + "example\"\n", []string{"relay.toml:1: domain: is longer than 189 octets … 4.5.3.1.3"}},
		{"operator inside", "domain = \"x.example\"\noperator = \"ops@sub.X.example\"\n", []string{"relay.toml:2: operator: is in the relay's own domain … elsewhere"}},
		{"operator no address", "domain = \"x.example\"\noperator = \"ops\"\n", []string{"relay.toml:2: operator: is not an e-mail address … name@example.com"}},
		{"brand", "domain = \"x.example\"\nbrand = \"me@x.example\"\n", []string{"relay.toml:2: brand: contains an @ … "}},
		{"urls", "domain = \"x.example\"\nsupport_url = \"help\"\nsafety_url = \"javascript:alert(1)\"\nhttp.base_url = \"https://x.example/?a\"\n", []string{
			"relay.toml:2: support_url: \"help\" is not a web address … ", "relay.toml:3: safety_url: … ", "relay.toml:4: http.base_url: must end … ",
		}},
		{"embed origins", "domain = \"x.example\"\n[http]\nembed_origins = [\"www.x.example\", \"https://x.example/path\", \"http://x.example\", \"https://*.x.example\"]\n", []string{
			"relay.toml:3: http.embed_origins: \"www.x.example\" is not an origin … scheme and host", "relay.toml:3: http.embed_origins: \"https://x.example/path\" is not an origin … ",
			"relay.toml:3: http.embed_origins: \"http://x.example\" must begin with https:// … ", "relay.toml:3: http.embed_origins: \"https://*.x.example\" is not an origin … ",
		}},
		{"notifications", "domain = \"x.example\"\nbrand_color = \"red\"\nlanguage = \"../de\"\n[notify]\ngrace = \"2h\"\nmax_attachment = \"100B\"\n", []string{
			"relay.toml:2: brand_color: \"red\" is not a colour … #7a1f2b", "relay.toml:3: language: \"../de\" is not a language … tag", "relay.toml:5: notify.grace: 2h is longer than 1h … ",
			"relay.toml:6: notify.max_attachment: 100 is outside 1KB to 200MB … ",
		}},
		{"postgres", "domain = \"x.example\"\n[storage]\ndsn = \"postgres://user@host/db\"\n", []string{"relay.toml:3: storage.dsn: this version keeps its data in SQLite … sqlite:/var/lib"}},
		{"dsn", "domain = \"x.example\"\n[storage]\ndsn = \"stagedoor.db\"\nkey_file = \"\"\n", []string{"relay.toml:3: storage.dsn: must be \"sqlite:PATH\" … ", "relay.toml:4: storage.key_file: is empty … first start"}},
		{"memory", "domain = \"x.example\"\n[storage]\ndsn = \"sqlite::memory:\"\n", []string{"relay.toml:3: storage.dsn: \"sqlite::memory:\" names no file … "}},
		{"size bounds", "domain = \"x.example\"\n[smtp]\nmax_message_size = \"63KB\"\n", []string{"relay.toml:3: smtp.max_message_size: 63KB is outside 64KB to 200MB … "}},
		{"size text", "domain = \"x.example\"\n[smtp]\nmax_message_size = \"big\"\n", []string{"relay.toml:3: smtp.max_message_size: \"big\" is not a size … 25MB"}},
		{"listen", "domain = \"x.example\"\n[smtp]\nlisten = [\"25\"]\n[imap]\nlisten = [\"localhost:imap\"]\nlisten_tls = [\"unix:/x\"]\n[http]\nlisten = [\"unix:\", \"a b:1\"]\n", []string{
			"relay.toml:3: smtp.listen: \"25\" is no listen address … host:port", "relay.toml:5: imap.listen: … must be a number",
			"relay.toml:6: imap.listen_tls: … Unix socket", "relay.toml:8: http.listen: \"unix:\" names no socket … ", "relay.toml:8: http.listen: … host must be",
		}},
		{"one address twice", "domain = \"x.example\"\n[imap]\nlisten = [\"127.0.0.1:143\"]\nlisten_tls = [\"127.0.0.1:143\"]\n", []string{"relay.toml:4: imap.listen_tls: \"127.0.0.1:143\" is taken by imap.listen … "}},
		{"insecure auth", "domain = \"x.example\"\n[imap]\nlisten = [\"127.0.0.1:143\", \"192.0.2.1:143\"]\nallow_insecure_auth = true\n[submission]\nallow_insecure_auth = true\n", []string{
			"relay.toml:4: imap.allow_insecure_auth: … \"192.0.2.1:143\"", "relay.toml:6: submission.allow_insecure_auth: … \"0.0.0.0:587\"",
		}},
		{"lmtp alone", "domain = \"x.example\"\n[lmtp]\nlisten = [\"unix:/run/x.sock\"]\n", []string{"relay.toml:3: lmtp.listen: needs sender_auth.trusted_authserv_id … RFC 8601"}},
		{"forwarders and days", "domain = \"x.example\"\n[sender_auth]\narc_sealers = [\"university.example\", \"me\"]\nhold_days = 31\n", []string{"relay.toml:3: sender_auth.arc_sealers: \"me\" is not a domain … ARC-Seal", "relay.toml:4: sender_auth.hold_days: 31 is outside 0 to 30"}},
		{"authserv-id", "domain = \"x.example\"\n[sender_auth]\ntrusted_authserv_id = \"a; b\"\n", []string{"relay.toml:3: sender_auth.trusted_authserv_id: … not an authserv-id"}},
		{"enums", "domain = \"x.example\"\n[sender_auth]\npolicy = \"strict\"\n[privacy]\ntyped_address = \"\"\n[log]\nlevel = \"loud\"\nformat = \"xml\"\n", []string{
			"relay.toml:3: sender_auth.policy: \"strict\" is not one of aligned, envelope … ", "relay.toml:5: privacy.typed_address: … allow, redact, refuse",
			"relay.toml:7: log.level: … debug, info, warn, error", "relay.toml:8: log.format: … text, json",
		}},
		{"tls halves", "domain = \"x.example\"\n[tls]\ncert_file = \"a.pem\"\n", []string{"relay.toml:3: tls.cert_file: needs tls.key_file … "}},
		{"acme", "domain = \"x.example\"\n[tls]\nacme_email = \"a@b.example\"\ncert_file = \"c\"\nkey_file = \"k\"\n", []string{"relay.toml:3: tls.acme_email: and tls.cert_file exclude each other"}},
		{"acme in the clear", "domain = \"x.example\"\n[tls]\nacme_email = \"a@b.example\"\nacme_directory = \"http://ca.example\"\n", []string{"relay.toml:4: tls.acme_directory: \"http://ca.example\" is not … letsencrypt.org"}},
		{"acme without a door", "domain = \"x.example\"\nhttp.listen = []\n[tls]\nacme_email = \"a\"\n", []string{"relay.toml:4: tls.acme_email: is not an e-mail address", "relay.toml:4: tls.acme_email: needs a door … http.listen_tls"}},
		{"smarthost", "domain = \"x.example\"\n[outbound]\nsmarthost = \"host:25\"\n", []string{"relay.toml:3: outbound.smarthost: must begin with smtp:// … "}},
		{"smarthost with password", "domain = \"x.example\"\n[outbound]\nsmarthost = \"smtps://u:hunter2@h.example\"\n", []string{"relay.toml:3: outbound.smarthost: holds a password … smarthost_password_file"}},
		{"smarthost user alone", "domain = \"x.example\"\n[outbound]\nsmarthost = \"smtps://u@h.example\"\n", []string{"relay.toml:3: outbound.smarthost: names a user … "}},
		{"smarthost password alone", "domain = \"x.example\"\n[outbound]\nsmarthost_password_file = \"x\"\n", []string{"relay.toml:3: outbound.smarthost_password_file: is of no use … "}},
		{"servers", "domain = \"x.example\"\n[outbound.routes]\n\"a.example\" = \"smtp://h:99999\"\n\"b.example\" = \"lmtp:unix:dovecot\"\n\"c.example\" = \"lmtp://h:25\"\n\"d.example\" = \"smtp://u:hunter2@h\"\n\"e_e\" = \"mx\"\n\"*.x.example\" = \"mx\"\n\"f.example\" = \"smtps://u@h\"\nf.g = \"mx\"\n\"h.example\" = 25\n", []string{
			"relay.toml:3: outbound.routes.a.example: … port must be", "relay.toml:4: outbound.routes.b.example: must name the socket … dovecot/lmtp", "relay.toml:5: outbound.routes.c.example: … RFC 2033",
			"relay.toml:6: outbound.routes.d.example: holds a password … outbound.route_password_files", "relay.toml:7: outbound.routes.e_e: … not a host name", "relay.toml:8: outbound.routes.*.x.example: … own domain",
			"relay.toml:9: outbound.routes.f.example: names a user … route_password_files", "relay.toml:10: outbound.routes.f: has a dot … double quotes", "relay.toml:11: outbound.routes.h.example: must be a string … not a number",
		}},
		{"routes as a string", "domain = \"x.example\"\n[outbound]\nroutes = \"smtp://h\"\n", []string{"relay.toml:3: outbound.routes: must be a table … not a string"}},
		{"passwords without a route", "domain = \"x.example\"\n[outbound]\nroutes = { \"a.example\" = \"mx\" }\nroute_password_files = { \"a.example\" = \"/x\", \"b.example\" = \"/x\" }\n", []string{
			"relay.toml:4: outbound.route_password_files.a.example: is of no use … MX", "relay.toml:4: outbound.route_password_files.b.example: is of no use … outbound.routes has no",
		}},
		{"outbound bounds", "domain = \"x.example\"\n[outbound]\nmax_age = \"10m\"\nconnections = 0\nrate_per_domain = -1\nsource_addresses = [\"0.0.0.0\"]\n", []string{
			"relay.toml:3: outbound.max_age: 10m is outside 1h to 30d", "relay.toml:4: outbound.connections: 0 is outside 1 to 1000", "relay.toml:5: outbound.rate_per_domain: -1 is outside 0 to", "relay.toml:6: outbound.source_addresses: … of this machine",
		}},
		{"max_age text", "domain = \"x.example\"\n[outbound]\nmax_age = true\npause = 1\nsource_addresses = [\"192.0.2.1\", \"192.0.2.2\"]\n", []string{
			"relay.toml:3: outbound.max_age: must be a string, such as \"5d\", not true", "relay.toml:4: outbound.pause: must be true or false", "relay.toml:5: outbound.source_addresses: must hold one IPv4 and one IPv6",
		}},
		{"selector and resolver", "domain = \"x.example\"\n[dkim]\nselector = \"a_b\"\n[dns]\nresolver = \"ns.example:53\"\n", []string{"relay.toml:3: dkim.selector: … ", "relay.toml:5: dns.resolver: … IP:port"}},
		{"networks", "domain = \"x.example\"\n[webhooks]\nallow_networks = [\"10.0.0.0\"]\n[outbound]\nallow_networks = [\"10.0.0.0/8\", \"inside\"]\n", []string{"relay.toml:3: webhooks.allow_networks: … \"10.0.0.0\" is not a network", "relay.toml:5: outbound.allow_networks: … \"inside\""}},
		{"public addresses", "domain = \"x.example\"\n[dns]\naddresses = [\"192.0.2.25\", \"mx.example\", \"127.0.0.1\"]\n", []string{"relay.toml:3: dns.addresses: \"mx.example\" … ", "relay.toml:3: dns.addresses: \"127.0.0.1\" … "}},
		{"limits", "domain = \"x.example\"\n[limits]\nmax_recipients = 0\nconnections = -1\n", []string{"relay.toml:3: limits.max_recipients: 0 is outside 1 to 1000 … ", "relay.toml:4: limits.connections: … "}},
		{"type errors and value errors together", "domain = \"x_y\"\n[imap]\nlisten = 1\n[what]\n", []string{"relay.toml:1: domain: … ", "relay.toml:3: imap.listen: … ", "relay.toml:4: what: … "}},
	} {
		_, err := parse("relay.toml", c.document, Default())
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		got := strings.Split(err.Error(), "\n")
		for i, want := range c.want {
			prefix, word, _ := strings.Cut(want, " … ")
			if prefix = strings.TrimSuffix(prefix, " …"); i >= len(got) || !strings.HasPrefix(got[i], prefix) || !strings.Contains(got[i], word) {
				t.Errorf("%s: error %d of\n%s\n want %s", c.name, i+1, err, want)
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %d errors, want %d:\n%s", c.name, len(got), len(c.want), err)
		}
		if strings.Contains(err.Error(), "ops@") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error repeats an address or password: %s", c.name, err)
		}
	}
}

func TestAccepted(t *testing.T) {
	for name, document := range map[string]string{
		"acme":      "[tls]\nacme_email = \"ops@notx.example\"",
		"operator":  "operator = \"Ops@notx.example\"",
		"smarthost": "[outbound]\nsmarthost = \"smtps://user@host.example:465\"\nsmarthost_password_file = \"/x\"",
		"routes":    "[outbound.routes]\n\"Bücher.example\" = \"lmtp:unix:/run/dovecot/lmtp\"\n\"*.b.example\" = \"mx\"\n\"c.example\" = \"lmtp://host\"\n[outbound.route_password_files]\n",
		"sources":   "[outbound]\nsource_addresses = [\"192.0.2.1\", \"2001:db8::1\"]\nmax_age = \"36h\"\npause = true",
		"loopback":  "[imap]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\", \"localhost:0\"]\nallow_insecure_auth = true",
		"closed":    "[smtp]\nlisten = []\n[imap]\nlisten = []\nlisten_tls = []",
		"100MB":     "[smtp]\nmax_message_size = \"100MB\"",
		"any host":  "[http]\nlisten_tls = [\":443\"]",
		"ports 0":   "[smtp]\nlisten = [\"127.0.0.1:0\"]\n[http]\nlisten = [\"127.0.0.1:0\"]",
	} {
		if _, err := parse("relay.toml", "domain = \"x.example\"\n"+document, Default()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDev(t *testing.T) {
	c, err := Dev("")
	if err != nil {
		t.Fatal(err)
	}
	if c.Domain != DevDomain || c.Hostname != "mx.msg.localhost" || c.Storage.Path() != "stagedoor-data/stagedoor.db" {
		t.Errorf("domain %q, hostname %q, database %q", c.Domain, c.Hostname, c.Storage.Path())
	}
	for _, f := range fields(c) {
		if !strings.Contains(f.Key, ".listen") || f.Value == "[]" {
			continue
		}
		if !strings.HasPrefix(f.Value, `["127.0.0.1:2`) {
			t.Errorf("%s = %s: not a loopback address with a high port", f.Key, f.Value)
		}
	}
	if c.HTTP.BaseURL != "http://127.0.0.1:2080" {
		t.Errorf("mail links to %q", c.HTTP.BaseURL)
	}
	if _, err := Dev("no good"); err == nil || !strings.HasPrefix(err.Error(), "domain: ") {
		t.Errorf("Dev(no good): %v", err)
	}
	path := filepath.Join(t.TempDir(), "relay.toml")
	if err := os.WriteFile(path, []byte("domain = \"x.example\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err = LoadDev(path, ""); err != nil || c.Domain != "x.example" || !c.IMAP.AllowInsecureAuth {
		t.Errorf("LoadDev = %+v, %v", c, err)
	}
	if _, err = LoadDev(path, "y.example"); err == nil {
		t.Error("two domains are accepted")
	}
}

func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("open", "hunter2\n", 0o644)
	write("good", "hunter2\n", 0o600)
	write("empty", "\n", 0o600)
	write("group", "key\n", 0o640)
	for _, c := range []struct{ document, want string }{
		{"[http]\napi_token_file = \"good\"", ""},
		{"[http]\napi_token_file = \"open\"", "relay.toml:3: http.api_token_file: "},
		{"[http]\napi_token_file = \"absent\"", "relay.toml:3: http.api_token_file: can't be read: "},
		{"[http]\napi_token_file = \".\"", "relay.toml:3: http.api_token_file: "},
		{"[tls]\ncert_file = \"open\"\nkey_file = \"group\"", ""},
		{"[tls]\ncert_file = \"open\"\nkey_file = \"open\"", "relay.toml:4: tls.key_file: "},
		{"[storage]\nkey_file = \"absent\"", ""},
		{"[storage]\nkey_file = \"group\"", "relay.toml:3: storage.key_file: "},
	} {
		cfg, err := parse(filepath.Join(dir, "relay.toml"), "domain = \"x.example\"\n"+c.document, Default())
		if err != nil {
			t.Fatal(err)
		}
		err = cfg.CheckFiles()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.document, err, c.want)
		}
	}
	for name, want := range map[string]string{"good": "hunter2", "open": "", "empty": "", "absent": ""} {
		cfg := Default()
		cfg.Outbound.SmarthostPasswordFile = filepath.Join(dir, name)
		got, err := cfg.SmarthostPassword()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("password in %s: %q, %v", name, got, err)
		}
	}
}

func TestChanged(t *testing.T) {
	before, after := Default(), Default()
	after.Log.Level = "debug"
	after.SMTP.Listen = []string{":25"}
	after.Brand = "X"
	live, restart := Changed(before, after)
	if !reflect.DeepEqual(live, []string{"log.level"}) || !reflect.DeepEqual(restart, []string{"brand", "smtp.listen"}) {
		t.Errorf("live %v, restart %v", live, restart)
	}
}

func TestWarnings(t *testing.T) {
	for document, want := range map[string]string{
		"":                           "operator:|tls:",
		"operator = \"a@b.example\"": "tls:",
		"[sender_auth]\ntrusted_authserv_id = \"x\"":                            "operator:|tls:|relay.toml:3: sender_auth.trusted_authserv_id: is of no use",
		"[sender_auth]\npolicy = \"envelope\"":                                  "operator:|tls:|relay.toml:3: sender_auth.policy:",
		"smtp.listen = [\"127.0.0.1:0\"]\n[sender_auth]\npolicy = \"envelope\"": "operator:|tls:",
	} {
		c, err := parse("relay.toml", "domain = \"x.example\"\n"+document, Default())
		if err != nil {
			t.Fatal(err)
		}
		got := c.Warnings()
		keys := strings.Split(want, "|")
		if len(got) != len(keys) {
			t.Errorf("%q: %q, want %q", document, got, want)
			continue
		}
		for i, key := range keys {
			if !strings.Contains(got[i], key) {
				t.Errorf("%q: %q, want %q", document, got[i], key)
			}
		}
	}
}
