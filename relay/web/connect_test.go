package web

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
)

func newConnect(t *testing.T, ports MailPorts) *browser {
	b := newBrowser(t)
	b.s.o.Hostname, b.s.o.Ports, b.s.o.Brand = "mx."+dialog.Domain, ports, "Back & Stage"
	return b
}

var allPorts = MailPorts{IMAPTLS: 993, IMAP: 143, SubmissionTLS: 465, Submission: 587}

// elements are the names and texts of an XML file, in order.
func elements(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return b.String()
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		switch x := tok.(type) {
		case xml.StartElement:
			b.WriteString("<" + x.Name.Local + ">")
		case xml.CharData:
			b.WriteString(strings.TrimSpace(string(x)))
		}
	}
}

func TestAutoconfig(t *testing.T) {
	b := newConnect(t, allPorts)
	for _, path := range []string{"/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=tess@msg.example.com", "/mail/config-v1.1.xml"} {
		got := elements(t, b.open(path, nil, 200))
		wants(t, got, "<domain>msg.example.com<displayName>Back & Stage",
			"<incomingServer><hostname>mx.msg.example.com<port>993<socketType>SSL<username>%EMAILLOCALPART%<authentication>password-cleartext<incomingServer><hostname>mx.msg.example.com<port>143<socketType>STARTTLS",
			"<outgoingServer><hostname>mx.msg.example.com<port>465<socketType>SSL")
	}
}

func TestAutodiscover(t *testing.T) {
	b := newConnect(t, MailPorts{IMAP: 143, SubmissionTLS: 465})
	ask := func(body string) (int, string) {
		t.Helper()
		res, err := http.Post(b.base+"/Autodiscover/Autodiscover.xml", "text/xml", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	request := func(address string) string {
		return `<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>` + address + `</EMailAddress></Request></Autodiscover>`
	}
	status, text := ask(request("Tess@MSG.example.com"))
	if got := elements(t, text); status != 200 || !strings.Contains(got, "<Type>IMAP<Server>mx.msg.example.com<Port>143<LoginName>tess<DomainRequired>off<SPA>off<SSL>off<Encryption>TLS<AuthRequired>on<Protocol>") ||
		!strings.Contains(got, "<Type>SMTP<Server>mx.msg.example.com<Port>465<LoginName>tess<DomainRequired>off<SPA>off<SSL>on<Encryption>SSL<AuthRequired>on<UsePOPAuth>on<SMTPLast>off") {
		t.Errorf("%d\n%s", status, text)
	}
	// Whether there is such a member does not show.
	if again, nobody := ask(request("nobody-here@msg.example.com")); again != 200 || strings.ReplaceAll(nobody, "nobody-here", "tess") != text {
		t.Errorf("%d\n%s", again, nobody)
	}
	for body, want := range map[string]int{
		request("tess@elsewhere.example"): 404, request("&lt;x&gt;@msg.example.com"): 200, "": 400, "<": 400, "<a>" + strings.Repeat("<b>", 20000): 400,
	} {
		if status, text := ask(body); status != want || strings.Contains(text, "<x>") {
			t.Errorf("%.80s: %d\n%s", body, status, text)
		}
	}
	// A phone that looks for an Exchange server goes on to what there is.
	exchange := strings.Replace(request("tess@msg.example.com"), "</Request>", "<AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006</AcceptableResponseSchema></Request>", 1)
	if status, text := ask(exchange); status != 200 || !strings.Contains(elements(t, text), "<Error><ErrorCode>601<Message>This is no Exchange server") {
		t.Errorf("%d\n%s", status, text)
	}
	wants(t, b.open("/autodiscover/autodiscover.json?Email=tess@msg.example.com&Protocol=AutodiscoverV1", nil, 200), `"Url":"http://msg.example.com/autodiscover/autodiscover.xml"`)
	b.open("/autodiscover/autodiscover.json/v1.0/tess@msg.example.com?Protocol=ActiveSync", nil, 404)
}

func TestConnectPage(t *testing.T) {
	b := newConnect(t, allPorts)
	wants(t, b.open("/account/connect", nil, 200), "<h1>Sign in</h1>")
	b.signInTess()
	wants(t, b.open("/account/connect", nil, 200), "tess@msg.example.com", "mx.msg.example.com, port 993, SSL/TLS", "mx.msg.example.com, port 465, SSL/TLS")
	profile := b.open("/account/connect/profile.mobileconfig", nil, 200)
	wants(t, elements(t, profile), "<key>EmailAccountName<string>Tess<key>EmailAddress<string>tess@msg.example.com", "<key>IncomingMailServerPortNumber<integer>993", "<string>Your messages of Back & Stage in")
	if again := b.open("/account/connect/profile.mobileconfig", nil, 200); again != profile {
		t.Error("loading the profile again makes another one")
	}
	none := newConnect(t, MailPorts{})
	none.signInTess()
	none.open("/account/connect", nil, 200)
	elements(t, none.open("/account/connect/profile.mobileconfig", nil, 200))
}
