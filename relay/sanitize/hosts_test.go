package sanitize

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestHosts: what a message's own header says of where it came from is known,
// and not found again in what it quotes.
func TestHosts(t *testing.T) {
	const raw = "Received: from out.roe.example (out.roe.example [198.51.100.9])\r\n\tby mx.msg.example.com (Postfix) with ESMTPS id 1; Tue, 1 Sep 2026 10:00:02 +0200\r\n" +
		"Received: from [192.168.7.20] (cable-77.isp.example [203.0.113.77])\r\n\t(Authenticated sender: jane) by smtp.roe.example with ESMTPSA; Tue, 1 Sep 2026 10:00:01 +0200\r\n" +
		"Received: from DESKTOP-4F2K9QX (HELO studio.lan) (2001:db8:0:0::7) by webmail.roe.example; Tue, 1 Sep 2026 10:00:00 +0200\r\n" +
		"Received: from localhost (localhost.localdomain [127.0.0.1]) by laptop (8.17)\r\n" +
		"Received-SPF: pass client-ip=198.51.100.10; helo=out2.roe.example;\r\n" +
		"X-Originating-IP: [203.0.113.78]\r\nX-Sender-IP: 203.0.113.79\r\nX-ClientIP: 203.0.113.80\r\nX-Forwarded-For: 203.0.113.81, 10.9.8.7\r\n" +
		"X-Forefront-Antispam-Report: CIP:203.0.113.82;CTRY:DE;LANG:en;\r\nX-MS-Exchange-Organization-OriginalClientIPAddress: 203.0.113.83\r\n" +
		"X-Source-Host: host9.farm.example\r\nMessage-ID: <5D1F@Janes-MacBook.fritz.box>\r\nX-Mailer: Mail 16.0.1\r\nSubject: x\r\n"
	want := []string{"out.roe.example", "198.51.100.9", "192.168.7.20", "cable-77.isp.example", "203.0.113.77", "smtp.roe.example", "desktop-4f2k9qx", "studio.lan",
		"2001:0db8:0000:0000:0000:0000:0000:0007", "2001:db8:0:0::7", "webmail.roe.example", "198.51.100.10", "out2.roe.example", "203.0.113.78", "203.0.113.79", "203.0.113.80", "203.0.113.81", "10.9.8.7",
		"203.0.113.82", "203.0.113.83", "host9.farm.example", "janes-macbook.fritz.box"}
	var body strings.Builder
	body.WriteString("My studio is host9.farm.example, at 203.0.113.78.\r\n")
	for _, h := range want {
		body.WriteString("> seen: " + strings.ToUpper(h) + " (" + h + ")\r\n")
	}
	var out bytes.Buffer
	res, err := Rewrite(&out, strings.NewReader(raw+"\r\n"+body.String()), Options{Identity: jane})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(res.Hosts, want) {
		t.Errorf("hosts are %q\nwant %q", res.Hosts, want)
	}
	id := jane
	id.Hosts = res.Hosts
	if err := Check(res.MIMEFields, bytes.NewReader(out.Bytes()), id, TypedAllow); err != nil {
		t.Error(err)
	}
	typed, quoted, _ := strings.Cut(out.String(), "\r\n>")
	if typed != "My studio is host9.farm.example, at 203.0.113.78." {
		t.Errorf("what was typed became %q", typed)
	}
	for _, h := range want {
		if strings.Contains(strings.ToLower(quoted), h) {
			t.Errorf("%s is left in what is quoted", h)
		}
	}
}

// TestDomains: a domain of the writer's own points to them, with all below it
// and the one it is part of; a provider's, or the relay's, does not.
func TestDomains(t *testing.T) {
	for address, c := range map[string]struct{ hidden, shown string }{
		"jane@roe.example":           {"roe.example www.roe.example mail.roe.example", "notroe.example roe.examples"},
		"jane@mail.roe.example":      {"mail.roe.example roe.example www.roe.example", "example"},
		"jane@art.uni.ac.uk":         {"art.uni.ac.uk uni.ac.uk", "ac.uk other.ac.uk"},
		"jane@bücher.example":        {"bücher.example xn--bcher-kva.example www.BÜCHER.example", "buch.example"},
		"jane@xn--bcher-kva.example": {"bücher.example xn--bcher-kva.example", "buch.example"},
		"jane@gmail.com":             {"", "gmail.com googlemail.com mail.google.com"},
		"jane@yahoo.co.uk":           {"", "yahoo.co.uk"},
		"jane@gmx.at":                {"", "gmx.at gmx.net"},
		"jane@staff.example.com":     {"staff.example.com", "example.com msg.example.com"},
	} {
		id := Identity{Name: "Jane Roe", Addresses: []string{address}, RelayDomain: "msg.example.com"}
		rw := &rewriter{o: Options{Identity: id}, id: compile(&id)}
		s := newSearch(id)
		for _, name := range strings.Fields(c.hidden) {
			if got := rw.clean("> see " + name + " there"); got != "> see [hidden] there" {
				t.Errorf("%s: %s becomes %q", address, name, got)
			}
			if !s.finds("> see "+name+" there", searchAll) {
				t.Errorf("%s: the gate does not find %s", address, name)
			}
		}
		for _, name := range strings.Fields(c.shown) {
			if got := rw.clean("> see " + name + " there"); got != "> see "+name+" there" {
				t.Errorf("%s: %s becomes %q", address, name, got)
			}
			if s.finds("> see "+name+" there", searchAll) {
				t.Errorf("%s: the gate finds %s", address, name)
			}
		}
	}
}
