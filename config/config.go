// Package config turns relay.toml into one typed, checked Config.
//
// It promises: a key that is not known, a value of the wrong type and a value
// that can't work are errors that name file, line and key and say what to do;
// all of them are reported at once. Load reads the one file and touches
// nothing else; CheckFiles looks at the files that the configuration names.
//
// The structs below are the one source of the defaults' documentation: the
// doc tags and Default make relay.toml.example (Example) and the reference
// (Reference), and a test holds the three together.
//
// A Config is not changed after Load, so that it may be read by any
// goroutine.
package config

// Config is relay.toml. Paths are absolute, or relative to the working
// directory, once Load has returned.
type Config struct {
	Domain     string `toml:"domain" doc:"Every reply alias and contact address ends in it. The one key without a default. A name with letters beyond ASCII may be written as it is; it is kept in A-labels (RFC 5891), lower case."`
	Hostname   string `toml:"hostname" doc:"The name in EHLO, in the greeting and in TLS certificates. Empty: mx.DOMAIN."`
	Brand      string `toml:"brand" doc:"Shown to people: \"Sam Casting via Backstage\"."`
	BrandColor string `toml:"brand_color" doc:"The colour of buttons and lines in mail and on pages, as #rrggbb. Text on it is black or white, whichever can be read; where it is the text's own colour, it is made darker or lighter until it can be."`
	Language   string `toml:"language" doc:"In what language members are written to who have chosen none: en, de, or one of your own (notify.templates)."`
	Operator   string `toml:"operator" doc:"Where postmaster@, abuse@ and support@ of the domain are sent: a real address outside the domain. Empty: such mail is refused for the time being (450)."`
	SupportURL string `toml:"support_url" doc:"A page that helps people; shown in footers."`
	SafetyURL  string `toml:"safety_url" doc:"A page such as \"Beware of scams\"; linked from warnings and from the page that blocks and reports."`

	Storage    Storage    `toml:"storage" doc:"Where the data is kept."`
	SMTP       SMTP       `toml:"smtp" doc:"Ingress: mail from the internet."`
	LMTP       LMTP       `toml:"lmtp" doc:"Ingress behind another mail server that speaks LMTP (RFC 2033)."`
	Submission Submission `toml:"submission" doc:"Mail clients send here (RFC 6409)."`
	IMAP       IMAP       `toml:"imap" doc:"Mail clients read here."`
	HTTP       HTTP       `toml:"http" doc:"The HTTP door: the pages that links in mail lead to, /healthz (alive) and /readyz (the store answers)."`
	Webhooks   Webhooks   `toml:"webhooks" doc:"Where the platform is told of events (see docs/api.md): they are added by the API or by stagedoor webhook."`
	Metrics    Metrics    `toml:"metrics" doc:"Counters for Prometheus, at /metrics: what came and went, the queue, sessions. They hold no address, domain or name of a member."`
	TLS        TLS        `toml:"tls" doc:"The certificate of all listeners: from files, which are read again when they change, or by ACME. With neither a self-signed one is made on first start, with a warning."`
	Outbound   Outbound   `toml:"outbound" doc:"How mail to members' real addresses leaves."`
	Notify     Notify     `toml:"notify" doc:"What members are mailed: the message itself, at once, or a digest once a day (see docs/notifications.md)."`
	DKIM       DKIM       `toml:"dkim" doc:"The signature on what the relay sends (RFC 6376)."`
	SenderAuth SenderAuth `toml:"sender_auth" doc:"How the writer of a message from the internet is proven."`
	DNS        DNS        `toml:"dns" doc:"Which DNS server is asked."`
	Privacy    Privacy    `toml:"privacy" doc:"What members may tell each other."`
	Threads    Threads    `toml:"threads" doc:"What a conversation is."`
	Safety     Safety     `toml:"safety" doc:"Keeping scammers out: see docs/safety.md."`
	Scan       Scan       `toml:"scan" doc:"Programs that are asked about each message before it is filed; with neither nobody is. They get it as its reader will, with reply aliases instead of real addresses."`
	Limits     Limits     `toml:"limits" doc:"What one message, member or remote host may use."`
	Log        Log        `toml:"log" doc:"The log goes to standard error."`

	origin origin
}

// Storage is [storage].
type Storage struct {
	DSN     string `toml:"dsn" doc:"sqlite:PATH, the embedded database. Relative paths start at the directory of relay.toml."`
	KeyFile string `toml:"key_file" doc:"The key that seals real addresses; made on first start. Without it the database can't be read: back it up, elsewhere than the database."`
	TempDir string `toml:"temp_dir" doc:"Large messages pass through this directory while they are worked on. Empty: tmp, beside the database."`
}

// SMTP is [smtp].
type SMTP struct {
	Listen         []string `toml:"listen" doc:"host:port, any number of them; [] closes the door. STARTTLS is offered."`
	MaxMessageSize Size     `toml:"max_message_size" doc:"The largest message that any door takes (RFC 1870): 64KB to 200MB; 1KB is 1024 octets."`
	MTASTS         STSMode  `toml:"mta_sts" doc:"The policy that other servers find at https://mta-sts.DOMAIN/.well-known/mta-sts.txt (RFC 8461): testing only has them report failures, enforce has them keep mail back that can't come by verified TLS, none withdraws an earlier policy, off serves none. Set enforce once the certificate is trusted and stagedoor dns check is content."`
}

// LMTP is [lmtp].
type LMTP struct {
	Listen []string `toml:"listen" doc:"unix:/run/stagedoor/lmtp.sock (mode 0660: put the mail server in front into the daemon's group), or host:port. Needs sender_auth.trusted_authserv_id, since only the server in front saw who sent the message."`
}

// Submission is [submission].
type Submission struct {
	Listen            []string `toml:"listen" doc:"host:port, with STARTTLS."`
	ListenTLS         []string `toml:"listen_tls" doc:"host:port, TLS from the first octet (RFC 8314)."`
	AllowInsecureAuth bool     `toml:"allow_insecure_auth" doc:"Passwords without TLS; for tests, on loopback addresses only."`
}

// IMAP is [imap].
type IMAP struct {
	Listen            []string `toml:"listen" doc:"host:port, with STARTTLS."`
	ListenTLS         []string `toml:"listen_tls" doc:"host:port, TLS from the first octet (RFC 8314)."`
	AllowInsecureAuth bool     `toml:"allow_insecure_auth" doc:"Passwords without TLS; for tests, on loopback addresses only."`
	SCRAM             bool     `toml:"scram" doc:"true: AUTH=SCRAM-SHA-256 and -PLUS (RFC 7677) are offered too, which app passwords can be used with. Programs that take the strongest way by themselves can't sign in with a member's own password then."`
	Disabled          []string `toml:"disabled_capabilities" doc:"Capabilities that are neither told nor understood, because a program chokes on them: [\"QRESYNC\"] for all, [\"Outlook:QRESYNC\"] for programs that say by ID (RFC 2971) that their name has Outlook in it. docs/imap.md lists them."`
	AllMailbox        bool     `toml:"all_mailbox" doc:"true: each member has a mailbox All, with both sides of every conversation (RFC 6154 \\All). Mail clients that fetch everything fetch each message twice then."`
}

// HTTP is [http].
type HTTP struct {
	Listen       []string `toml:"listen" doc:"host:port or unix:PATH, without TLS: health checks, or behind a web server."`
	ListenTLS    []string `toml:"listen_tls" doc:"host:port, such as \":443\"."`
	BaseURL      string   `toml:"base_url" doc:"Where members reach the HTTP door, such as https://msg.example.com (behind a web server: what that passes on to http.listen). Mail links there. Empty: no links, and what can only be confirmed on a page is refused instead of held."`
	EmbedOrigins []string `toml:"embed_origins" doc:"Origins, such as [\"https://www.example.com\"], whose pages may show the contact form within them (see docs/contact.md). Empty: none may."`
	APITokenFile string   `toml:"api_token_file" doc:"A file (mode 0600) with a token of at least 16 random characters that the platform has too: it opens the API at /api/v1 (see docs/api.md). Further lines hold further tokens that are good as well, so that one can be changed for another. The first one signs the links by which the platform opens the contact form for its members (see docs/contact.md). Empty: there is no API, and members sign in."`
}

// Webhooks is [webhooks].
type Webhooks struct {
	AllowNetworks []string `toml:"allow_networks" doc:"Networks, such as [\"10.0.0.0/8\"], that webhooks may be in though they are not public; there, http:// is good too. Empty: webhooks lead to public addresses by HTTPS only."`
}

// Metrics is [metrics].
type Metrics struct {
	Listen []string `toml:"listen" doc:"host:port or unix:PATH, without TLS; [] closes it. Keep it on loopback or a private network: whoever reaches it learns how much mail there is. It is apart from http.listen, all of which a web server may pass on."`
}

// TLS is [tls].
type TLS struct {
	CertFile      string `toml:"cert_file" live:"content" doc:"PEM, the server's certificate first."`
	KeyFile       string `toml:"key_file" live:"content" doc:"PEM, mode 0600 or 0640."`
	ACMEEmail     string `toml:"acme_email" doc:"Get certificates by ACME (RFC 8555), and renew them: for hostname and, where http.listen_tls serves them, for the names of the pages, mta-sts., autoconfig. and autodiscover. The address goes to the certificate authority, whose terms you accept by setting it. The names are proven on port 443 (http.listen_tls) or 80 (a web server there passes /.well-known/acme-challenge/ on to http.listen). They are kept in acme, beside storage.key_file."`
	ACMEDirectory string `toml:"acme_directory" doc:"The authority's directory. For a first try: https://acme-staging-v02.api.letsencrypt.org/directory"`
	ACMECAFile    string `toml:"acme_ca_file" doc:"PEM, what the directory's own certificate is verified by. Empty: what the system trusts. For an authority of your own."`
}

// Outbound is [outbound].
type Outbound struct {
	Smarthost             string            `toml:"smarthost" doc:"smtp://host:25, smtps://user@host:465, lmtp://host:24 or lmtp:unix:PATH: all mail goes there. smtp uses STARTTLS where it is offered, smtps TLS from the first octet; with a user, or with smtps, the certificate must be valid for host. Empty: to each domain's MX."`
	SmarthostPasswordFile string            `toml:"smarthost_password_file" doc:"A file (mode 0600) with the password of the smarthost's user."`
	Routes                map[string]string `toml:"routes" doc:"The mail of these domains goes elsewhere: { \"example.com\" = \"smtp://host:25\" }, with servers written as for smarthost, or \"mx\" for the domain's MX although there is a smarthost. \"*.example.com\" stands for all names below example.com; the longest name that fits counts."`
	RoutePasswordFiles    map[string]string `toml:"route_password_files" doc:"For routes that name a user: files (mode 0600) with the passwords, { \"example.com\" = \"/etc/stagedoor/example.password\" }."`
	SourceAddresses       []string          `toml:"source_addresses" doc:"The IP addresses of this machine that mail leaves from: one IPv4, one IPv6, or one of them, and then only servers of that kind are reached. They are what PTR and SPF are about. Empty: the system chooses."`
	Pause                 bool              `toml:"pause" live:"value" doc:"true: nothing is sent. Messages are filed as ever and wait in the queue."`
	MaxAge                Duration          `toml:"max_age" doc:"How long delivery is tried, 1h to 30d. Then the notification is given up, which is logged and recorded; the message stays in its mailbox (RFC 5321 section 4.5.4.1)."`
	Connections           int               `toml:"connections" doc:"Deliveries at the same time, 1 to 1000."`
	ConnectionsPerDomain  int               `toml:"connections_per_domain" doc:"Of these, to one domain's MX, 1 to 1000."`
	RatePerDomain         int               `toml:"rate_per_domain" doc:"Messages a minute to one domain's MX, 0 to 1000000. 0: no bound."`
	SmarthostConnections  int               `toml:"smarthost_connections" doc:"Deliveries at the same time to the smarthost, and to each server in routes, 1 to 1000."`
	SmarthostRate         int               `toml:"smarthost_rate" doc:"Messages a minute to the smarthost, and to each server in routes, 0 to 1000000. 0: no bound."`
	TLSReports            bool              `toml:"tls_reports" doc:"true: domains that ask for it (TXT at _smtp._tls.DOMAIN, RFC 8460) get a report once a day of how TLS to their servers went: servers, policies and numbers, nothing of messages or members."`
	TLSReportContact      string            `toml:"tls_report_contact" doc:"Whom these reports name for questions, such as an address or a URL. Empty: postmaster@DOMAIN."`
	AllowNetworks         []string          `toml:"allow_networks" doc:"Networks, such as [\"10.0.0.0/8\"], where MTA-STS policies are fetched from and TLS reports are brought to though they are not public. Whoever owns a receiving domain chooses those web servers. Empty: public addresses only."`
}

// Notify is [notify].
type Notify struct {
	Grace         Duration `toml:"grace" doc:"How long the mail about a message waits, up to 1h: who reads the message in a mail client meanwhile gets none. 0s: it goes at once."`
	MaxAttachment Size     `toml:"max_attachment" doc:"The largest attachment that is mailed, 1KB to 200MB. A larger one stays in the mailbox, and the mail names it."`
	Templates     string   `toml:"templates" doc:"A directory whose files replace the built-in templates of mail, and add languages. stagedoor config template prints the built-in ones, config check tries yours. Empty: there are none."`
}

// DKIM is [dkim].
type DKIM struct {
	Selector string `toml:"selector" doc:"The public keys stand in DNS at SELECTOR._domainkey.DOMAIN (RSA) and SELECTOR-ed._domainkey.DOMAIN (Ed25519, RFC 8463); after stagedoor dkim rotate, SELECTOR-2 and SELECTOR-2-ed, and so on."`
	KeyFile  string `toml:"key_file" doc:"The first private key; made on first start. The others, and the list of them, are kept beside it. Empty: dkim-SELECTOR.pem, beside storage.key_file."`
}

// SenderAuth is [sender_auth].
type SenderAuth struct {
	Policy            Policy   `toml:"policy" doc:"aligned: SPF or DKIM passes for the domain in From. envelope: the reverse-path is the address in From; it can be forged by anybody who reaches the port: for tests on loopback, or behind a filter that checks."`
	TrustedAuthservID string   `toml:"trusted_authserv_id" doc:"Believe the Authentication-Results field (RFC 8601) with this authserv-id in what comes by LMTP. The server in front must add it, and remove it where others wrote it."`
	ARCSealers        []string `toml:"arc_sealers" doc:"Domains of forwarders whose ARC seals (RFC 8617) are believed, such as [\"university.example\"]: what passed when a message came to them counts."`
	HoldDays          int      `toml:"hold_days" doc:"A message to a reply alias whose writer may be its member but can't be proven is held so many days, 0 to 30, and the member is asked. 0: it is refused."`
}

// DNS is [dns].
type DNS struct {
	Resolver  string   `toml:"resolver" doc:"IP:port of the DNS server, such as 127.0.0.1:53. Empty: the system's."`
	Addresses []string `toml:"addresses" doc:"The public IP addresses of this server, where its interfaces don't show them (behind address translation). For stagedoor dns and doctor."`
}

// Privacy is [privacy].
type Privacy struct {
	TypedAddress TypedAddress `toml:"typed_address" doc:"What is done with the writer's own address in the new part of a message: allow lets it pass, redact takes it out, refuse returns the message."`
	RemoteImages RemoteImages `toml:"remote_images" doc:"What is done with images that a message loads from the web: keep lets them pass, block leaves their description only. Images that are there to be fetched and not seen (trackers) are removed in any case."`
}

// Threads is [threads].
type Threads struct {
	Groups      bool        `toml:"groups" doc:"true: the recipients in To and Cc of one message share one thread. false: a thread and a copy for each, who don't learn of one another."`
	ExpireDays  int         `toml:"expire_days" doc:"After so many days without a message a conversation takes no more: its reply addresses have expired, and who writes to one is told so. 0 to 36500; 0: never."`
	OutOfOffice OutOfOffice `toml:"out_of_office" doc:"A vacation notice of a member: file puts it into the mailbox of the one it answers (who gets no mail about it), drop only notes that there was one."`
}

// Limits is [limits].
type Limits struct {
	APIPerMinute      int `toml:"api_per_minute" doc:"Requests to the API that are answered in a minute, 1 to 1000000."`
	MaxRecipients     int `toml:"max_recipients" doc:"Recipients of one message, 1 to 1000."`
	Connections       int `toml:"connections" doc:"Open connections of each service, 1 to 100000."`
	ConnectionsPerIP  int `toml:"connections_per_ip" doc:"Open connections of each service from one IP address (IPv6: one /64), 1 to 100000."`
	SessionsPerMember int `toml:"sessions_per_member" doc:"Open IMAP connections of one member, 1 to 1000. Mail clients use about 5 each."`
	NewThreadsPerHour int `toml:"new_threads_per_hour" doc:"Members that one member can start conversations with in an hour, 0 to 100000; 0: no bound. Answers are not counted."`
	NewThreadsPerDay  int `toml:"new_threads_per_day" doc:"The same in a day."`
	NewMemberDays     int `toml:"new_member_days" doc:"So many days a member counts as new, 0 to 3650, and has these bounds instead of those above."`
	NewMemberPerHour  int `toml:"new_member_threads_per_hour" doc:"Members that a new member can start conversations with in an hour."`
	NewMemberPerDay   int `toml:"new_member_threads_per_day" doc:"The same in a day."`
	MessagesPerHour   int `toml:"messages_per_hour" doc:"Messages that one member, new or not, can write in an hour into conversations that there are already, 0 to 100000; 0: no bound."`
	FormsPerHour      int `toml:"forms_per_hour" doc:"Contact forms that one member can send in an hour, wrong ones included, 0 to 1000000; 0: no bound."`
	FormsPerIP        int `toml:"forms_per_ip" doc:"The same from one IP address (IPv6: one /64)."`
	MailboxMB         int `toml:"mailbox_mb" doc:"Megabytes that a member's mail clients may fill (RFC 9208), 0 to 1000000; what other members write is always filed. 0: no bound."`
}

// Safety is [safety].
type Safety struct {
	Caution            bool       `toml:"caution" doc:"Above a first message that asks its reader to pay or to go on elsewhere, a line warns who has never written to its writer; safety_url is linked. Its writer does not see it."`
	CautionFile        string     `toml:"caution_file" doc:"What such messages are found by, and the sentences that warn. Empty: the set that comes with the program, which stagedoor config caution prints."`
	RefusedExtensions  []string   `toml:"refused_extensions" doc:"Attached files whose names end so are refused, also in zip files: programs and what runs like one. Lower case, without a dot; [] refuses none by its name."`
	RefusedContents    []string   `toml:"refused_contents" doc:"Attached files that turn out to be so are refused, whatever their name, also in zip files: program (Windows, Linux, macOS, Java, Android), script (its first line names an interpreter), shortcut (Windows), image (of a disk), macros (a document with macros)."`
	SameText           SameText   `toml:"same_text" doc:"What is done when the same text is sent as a first message too often within a week: report tells the operator (stagedoor report), hold also keeps it for the operator (stagedoor held), refuse also refuses it, off does not count."`
	SameTextRecipients int        `toml:"same_text_recipients" doc:"Members that one writer can send the same text to, 0 to 1000000; 0: no bound. A casting call to many talents is ordinary."`
	SameTextWriters    int        `toml:"same_text_writers" doc:"Writers who can send the same text, 0 to 1000000; 0: no bound."`
	LookAlikeHandles   LookAlikes `toml:"look_alike_handles" doc:"A new member's handle that can be taken for another's (te55 for tess, rnona for mona): refuse or allow."`
}

// Scan is [scan].
type Scan struct {
	Rspamd         string     `toml:"rspamd" doc:"URL of rspamd's normal worker, such as http://127.0.0.1:11333. Empty: it is not asked."`
	ClamAV         string     `toml:"clamav" doc:"host:port of clamd, or unix:/run/clamav/clamd.ctl. Its StreamMaxLength must be smtp.max_message_size at least. Empty: it is not asked."`
	TimeoutSeconds int        `toml:"timeout_seconds" doc:"How long each answer is waited for, 1 to 120 seconds."`
	OnFailure      OnFailure  `toml:"on_failure" doc:"What is done where one does not answer: open lets the message pass, closed refuses it for the time being (451)."`
	Virus          ScanAction `toml:"virus" doc:"What is done with a message in which ClamAV finds something: refuse it, hold it for the operator (stagedoor held; its writer is not told), or mark it (its readers are warned above the text, and X-Spam-Flag is YES in the header)."`
	Spam           ScanAction `toml:"spam" doc:"What is done with a message that rspamd would reject: refuse, hold, mark or pass."`
	Suspect        ScanAction `toml:"suspect" doc:"What is done with a message to which rspamd would add a header: refuse, hold, mark or pass."`
}

// Log is [log].
type Log struct {
	Level  LogLevel  `toml:"level" live:"value" doc:"debug, info, warn or error. It never holds a real address, at any level."`
	Format LogFormat `toml:"format" doc:"text or json."`
}

// Policy is sender_auth.policy.
type Policy string

// The policies.
const (
	PolicyAligned  Policy = "aligned"
	PolicyEnvelope Policy = "envelope"
)

func (Policy) values() []string { return []string{string(PolicyAligned), string(PolicyEnvelope)} }

// TypedAddress is privacy.typed_address.
type TypedAddress string

// What is done with a typed address.
const (
	TypedAllow  TypedAddress = "allow"
	TypedRedact TypedAddress = "redact"
	TypedRefuse TypedAddress = "refuse"
)

func (TypedAddress) values() []string {
	return []string{string(TypedAllow), string(TypedRedact), string(TypedRefuse)}
}

// RemoteImages is privacy.remote_images.
type RemoteImages string

// What is done with remote images.
const (
	RemoteKeep  RemoteImages = "keep"
	RemoteBlock RemoteImages = "block"
)

func (RemoteImages) values() []string { return []string{string(RemoteKeep), string(RemoteBlock)} }

// OutOfOffice is threads.out_of_office.
type OutOfOffice string

// What is done with a vacation notice.
const (
	OutOfOfficeFile OutOfOffice = "file"
	OutOfOfficeDrop OutOfOffice = "drop"
)

func (OutOfOffice) values() []string {
	return []string{string(OutOfOfficeFile), string(OutOfOfficeDrop)}
}

// refusable are the values of safety.refused_contents.
var refusable = []string{"program", "script", "shortcut", "image", "macros"}

// SameText is safety.same_text.
type SameText string

// What is done with the same text.
const (
	SameTextOff    SameText = "off"
	SameTextReport SameText = "report"
	SameTextHold   SameText = "hold"
	SameTextRefuse SameText = "refuse"
)

func (SameText) values() []string {
	return []string{string(SameTextOff), string(SameTextReport), string(SameTextHold), string(SameTextRefuse)}
}

// LookAlikes is safety.look_alike_handles.
type LookAlikes string

// What is done with a handle that can be taken for another.
const (
	LookAlikesRefuse LookAlikes = "refuse"
	LookAlikesAllow  LookAlikes = "allow"
)

func (LookAlikes) values() []string {
	return []string{string(LookAlikesRefuse), string(LookAlikesAllow)}
}

// OnFailure is scan.on_failure.
type OnFailure string

// What is done without an answer.
const (
	FailOpen   OnFailure = "open"
	FailClosed OnFailure = "closed"
)

func (OnFailure) values() []string { return []string{string(FailOpen), string(FailClosed)} }

// ScanAction is what is done with a message on which a scanner has a verdict.
type ScanAction string

// The actions.
const (
	ScanRefuse ScanAction = "refuse"
	ScanHold   ScanAction = "hold"
	ScanMark   ScanAction = "mark"
	ScanPass   ScanAction = "pass"
)

func (ScanAction) values() []string {
	return []string{string(ScanRefuse), string(ScanHold), string(ScanMark), string(ScanPass)}
}

// STSMode is smtp.mta_sts.
type STSMode string

// What is said of TLS to servers that bring mail.
const (
	STSOff     STSMode = "off"
	STSNone    STSMode = "none"
	STSTesting STSMode = "testing"
	STSEnforce STSMode = "enforce"
)

func (STSMode) values() []string {
	return []string{string(STSOff), string(STSNone), string(STSTesting), string(STSEnforce)}
}

// LogLevel is log.level.
type LogLevel string

func (LogLevel) values() []string { return []string{"debug", "info", "warn", "error"} }

// LogFormat is log.format.
type LogFormat string

func (LogFormat) values() []string { return []string{"text", "json"} }

// enum is a string type that has few values.
type enum interface{ values() []string }
