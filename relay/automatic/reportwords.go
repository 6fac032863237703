package automatic

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var statusCode = regexp.MustCompile(`(?:^|[^0-9.])([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[^0-9.]|\.?$|\.[^0-9])`)

// statusIn finds the status code (RFC 3463) in a text: the first refusal, or
// the first of any kind.
func statusIn(s string) string {
	first := ""
	for range 50 {
		m := statusCode.FindStringSubmatchIndex(s)
		if m == nil {
			break
		}
		code := s[m[2]:m[3]]
		if code[0] != '2' {
			return code
		}
		if first == "" {
			first = code
		}
		s = s[m[3]:]
	}
	return first
}

// replyCode finds an SMTP reply code of refusal.
var replyCode = regexp.MustCompile(`(?:^|[\s:(<>])([45][0-9]{2})[\s-]`)

// phrases are what mail systems say, by what it means; the first group with one
// that is found counts. So the narrow ones come first: what is said of the
// sender in words that are used of recipients, how fast mail came, a mailbox
// that is full, a recipient who is none; then the wide ones.
var phrases = []struct {
	class Class
	words []string
}{
	{Relieved, []string{`"notificationtype":"delivery"`}},
	{Blocked, []string{ // who sent, or from where
		"user complaints", "reputation", "sender address", "sender's domain", "sender domain", "helo name", "ehlo name", "your server", "your domain", "your ip", "your host", "mail from your", "no spf", "spf:", "allow list", "domain of sender", "sender rejected", "sender was rejected", "rejected. aup", "sender verify", "valid sender", "invalid sender", "unroutable sender", "unauthenticated sender", "sender denied", "purported responsible",
		"from: domain is invalid", "valid from:", "my name was rejected", "client host", "client ip", "helo command rejected", "invalid helo", "bad helo", "ptr record", "dns ptr", "reverse dns", "rdns", "reverse lookup", "reverse mapping", "unverifyable", "no ptr", "spf record", "spf check",
		"relay access denied", "relaying denied", "no relaying", "relaying not allowed", "relay not permitted", "not permitted to relay", "unable to relay", "to relay mail", "insecure mail relay", "open relay", "relay quota", "authentication information", "authentication checks",
		"redundant", "email-bounces.", "groups.google.com/support", "permission to post", "not a member of", "recipient preferences", "rejected by destination",
	}},
	{Soft, []string{ // how fast it came, and where it went round
		"at a rate that", "too many connections", "connection rate limit", "connection frequency", "ip frequency", "too many recipients", "too many concurrent", "unexpected volume", "too many hops", "hop count exceeded", "routing loop", "mail loop", "mail forwarding loop", "too many clients", "rate limited",
		"insufficient system", "insufficient permission", "system resources", "internal system error", "mailer error", "command output: procmail", "queue file write error", "system not available", "host not found, try again", "name server reply", "temporary locked", "temporarily locked",
	}},
	{Full, []string{
		"mailbox is full", "mailbox full", "mailfolder is full", "mail box full", "inbox is full", "over quota", "overquota", "quota exceeded", "exceeded quota", "exceeding its quota", "exceeded their quota", "exceeded its quota", "exceed quota", "exceeds the quota", "out of storage", "exceeded storage", "storage quota", "storage allocation",
		"mailbox size limit", "mailbox exceeds", "mailbox exceeded", "mailbox has exceeded", "exceeded the local limit", "disk quota", "disk space", "not enough space", "no space left", "mailbox quota", "mailbox too large", "size of the mailbox", "not enough storage", "messages in recipient's mailbox", "メールボックスが一杯", "メールボックスの容量",
	}},
	{Hard, []string{ // said of a recipient and of nothing else
		"user unknown", "unknown user", "no such user", "no such recipient", "no such mailbox", "no such person", "no such account", "no such address", "user not exist", "user does not exist", "user doesn't exist", "recipient not found", "recipientnotfound", "recipient does not exist", "mailbox does not exist", "mailbox not found", "address does not exist", "account does not exist",
		"account that you tried to reach", "invalid recipient", "unknown recipient", "recipient unknown", "recipient name is not recognized", "unknown local part", "unknown local-part", "unknown address", "address unknown", "addressee unknown", "invalid mailbox", "invalid final delivery userid", "no mailbox here", "not listed in", "not our customer", "not a valid mailbox", "no longer valid", "no valid recipients for this",
		"account is disabled", "account has been disabled", "account disabled", "user disabled", "mailbox disabled", "mailbox is disabled", "disabled recipient", "mailbox is inactive", "account is inactive", "user is inactive", "account inactive", "account is locked", "mailbox is frozen", "account suspended", "account has been suspended", "user suspended", "has been deactivated", "mailbox suspended", "recipient account is blocked",
		"has moved", "address changed", "no longer on server", "no longer accepts mail", "no longer in use", "no longer employed", "host unknown", "unrouteable", "unroutable", "no such domain", "domain not found", "domain is not reachable", "illegal host/domain", "no mx", "mx record", "mail exchanger", "no smtp service", "not accept mail", "doesn't accept mail", "accepts no mail", "not accepting network messages",
		"domain does not exist", "domain doesn't exist", "domain name not found", "host not found", "nxdomain", "couldn't find any host", "couldn't be found", "could not be found", "wasn't found", "wasn\u00b4t found", "nullmx", "null mx", "unknown mailbox", "unknown domain", "non-existent hosts", "user not found", "account not found", "user not known", "not known here", "undeliverable address", "user invalid", "invalid user", "bad recipient",
		"bad destination mailbox", "mailbox unavailable", "mailbox not available", "見つかりません", "リストにありません", "存在しません", "宛先不明",
	}},
	{Blocked, []string{ // what was sent
		"spam", "blocked", "blacklist", "block list", "blocklist", "blackhole", "block-list", "dmarc", "spf ", "spf)", "dkim", "policy", "rate limit", "too many", "content reject", "message reject", "message was reject", "virus", "malware", "banned", "listed by", "listed at", "not allowed", "access denied", "access rejected", "access to this mail system",
		"unsolicited", "forbidden", "not authorized", "not authorised", "authentication required", "protocol violation", "not permitted", "size limit", "too large", "too big", "maximum size", "maximum message size", "message length", "line limit", "line too long", "media error", "duplicate header", "8-bit", "missing header", "rfc 5322", "rfc5322", "rfc 2822", "malformed", "unsupported",
		"suspicious", "phish", "executable", "attachment", "filter", "security", "denied", "(bl)", "starttls command first", "invalid domain name", "prohibited", "sequence of commands", "data format error", "not implemented", "mismatches", "no access",
	}},
	{Soft, []string{ // what is said of the way there
		"try again", "try later", "plus tard", "temporar", "timed out", "timeout", "connection refused", "connection reset", "deferred", "unreachable", "not reachable", "will be retried", "retry", "retries", "giving up", "too long", "expired", "not responding", "could not be delivered for", "not delivered within", " attempts", "refusing connections", "refused to accept a connection", "accept our requests to connect",
		"failing for a long time", "no connection could be made", "could not find a gateway", "does not support tls", "starttls", "transaction failed", "could not connect", "service unavailable", "service currently unavailable", "lost connection", "conversation with", "system error", "internal error", "command output", "cannot open", "couldn't create", "permission", "no such file", "i/o error", "unable to contact", "duplicated message-id",
		"greylist", "graylist", "grey-list", "postgrey", "name service error", "dns error", "local configuration error", "file system full", "pipe to",
	}},
	{Hard, []string{
		"recipient rejected", "recipient address rejected", "recipients was rejected", "does not exist", "doesn't exist", "does not have", "doesn't have", "not a valid", "not found", "address rejected", "may not exist", "no valid recipients", "unknown e-mail", "unknown email",
	}},
}

// delaying are said of what is still being tried.
var delaying = []string{
	"warning message only", "do not need to resend", "don't need to resend", "do not need to re-send", "still being retried", "will continue to try", "delivery is delayed", "has been delayed", "has not yet been delivered", "is delayed for more than", "delivery attempts will continue", "only a temporary failure", "will be retried for", "no action is required on your part",
}

// decisive: the words alone say what it is.
func decisive(words string) bool { return classOfWords(normalise(words)) != Unclear }

func classOfWords(folded string) Class {
	for _, p := range phrases {
		if contains(folded, p.words) {
			return p.class
		}
	}
	return Unclear
}

// classify makes a class of a status code (RFC 3463 and its registry) and the
// words with it: systems give 5.7.1 and 5.0.0 for almost anything.
func classify(status, words string) Class {
	folded := normalise(words)
	class, detail, _ := strings.Cut(status, ".")
	said := classOfWords(folded)
	switch detail {
	case "2.2":
		if said == Blocked && class == "5" && contains(folded, []string{"spam", "policy"}) {
			return Blocked
		}
		return Full
	case "4.1":
		if class == "5" && contains(folded, []string{"recipient address rejected: access denied", "recipient addresses rejected : access denied"}) {
			return Hard // Exchange Online, of an address that is none
		}
	case "1.7", "1.8", "7.8", "7.9", "7.23", "7.24", "7.25", "7.26": // the sender's
		return Blocked
	case "7.13", "1.10", "7.27": // disabled, null MX
		return Hard
	case "1.1", "1.2", "1.3", "1.6", "2.1", "0.1":
		switch {
		case said == Blocked, said == Full, said == Soft: // some say 5.1.1 of what they block
			return said
		case class == "5", said == Hard:
			return Hard
		}
		return Soft
	}
	if said != Unclear {
		return said
	}
	return classOfCode(class, detail)
}

// ClassOfReply says what a server's refusal of a recipient or of a message means
// (RFC 5321 section 4.2): code is the reply's, status its enhanced one (RFC 2034)
// or empty, text its text. It is Hard only where the status is one of a
// recipient's, or says nothing and the words are said of recipients alone: many
// servers refuse us at RCPT for what our own DNS lacks, in the same words. It is
// Unclear where nothing but the code says so.
func ClassOfReply(code int, status, text string) Class {
	class := status
	if class == "" {
		class = strconv.Itoa(code/100) + ".0.0"
	}
	c := classify(class, text)
	switch {
	case code/100 == 4 && c != Full:
		return Soft
	case c != Hard:
		return c
	case slices.Contains(ofRecipients, status):
		return Hard
	case (class == "5.0.0" || strings.HasPrefix(class, "5.7.") || class == "5.4.1") && contains(normalise(text), saidOfRecipients):
		return Hard
	}
	return Unclear
}

// ofRecipients are the codes of a recipient's address (RFC 3463 sections 3.2 and
// 3.3, RFC 7505): no such mailbox or system, moved, null MX, disabled.
var ofRecipients = []string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}

// saidOfRecipients are said of nobody else.
var saidOfRecipients = []string{
	"user unknown", "unknown user", "no such user", "no such recipient", "no such mailbox", "user does not exist", "user doesn't exist", "recipient not found", "recipient does not exist", "mailbox does not exist", "mailbox not found",
	"account that you tried to reach", "unknown recipient", "recipient unknown", "unknown local part", "addressee unknown", "mailbox unavailable", "mailbox disabled", "account disabled", "account is disabled", "disabled recipient", "user not found",
	"recipient address rejected: access denied",
}

// classOfCode is what a status code says without words.
func classOfCode(class, detail string) Class {
	subject, _, _ := strings.Cut(detail, ".")
	switch {
	case class == "4":
		return Soft
	case detail == "4.4", detail == "4.1" && class == "5": // unable to route
		return Hard
	case subject == "4", detail == "3.0", detail == "3.1", detail == "3.2":
		return Soft
	case subject == "7", subject == "6", detail == "2.3", detail == "3.4", subject == "5" && detail != "5.0":
		return Blocked
	case subject == "1":
		return Hard
	}
	return Unclear
}

// aboutSender: the command that was refused named the sender, or was none.
var aboutSender = regexp.MustCompile(`(?i)in reply to (?:the )?(?:mail from|ehlo|helo|end of data|data)|after (?:mail from|initial connection|ehlo|helo|end of data|pipelined mail)|refused to talk to me`)

// byText reads a report's text.
func byText(text string) Report {
	text = cutReturned(text)
	r := Report{Status: statusIn(text)}
	folded := normalise(text)
	if contains(folded, delaying) {
		r.Class = Delayed
		return r
	}
	reply := ""
	for _, m := range replyCode.FindAllStringSubmatch(text, 20) {
		reply = m[1]
	}
	status := r.Status
	if status == "" && reply != "" {
		status = reply[:1] + ".0.0"
	}
	r.Class = classify(status, text)
	switch {
	case r.Class == Hard && aboutSender.MatchString(text) && !contains(folded, []string{"user unknown", "unknown user", "no such user"}):
		r.Class = Blocked
	case r.Class == Unclear && strings.HasPrefix(reply, "5"):
		r.Class = Blocked
	}
	return r
}
