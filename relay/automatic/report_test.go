package automatic

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func header(contentType string) func(string) string {
	return func(name string) string {
		if name == "Content-Type" {
			return contentType
		}
		return ""
	}
}

func dsn(fields string) (contentType, body string) {
	return `multipart/report; report-type=delivery-status; boundary="b"`,
		"--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n" +
			strings.ReplaceAll(fields, "\n", "\r\n") + "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: user unknown\r\n--b--\r\n"
}

func TestReadReport(t *testing.T) {
	for name, c := range map[string]struct {
		fields string // of a recipient; empty: text
		text   string
		want   Report
	}{
		"no such mailbox":        {"Final-Recipient: rfc822; x@y\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 User unknown", "", Report{Hard, "5.1.1"}},
		"full":                   {"Action: failed\nStatus: 5.2.2", "", Report{Full, "5.2.2"}},
		"full, and unclear":      {"Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 552 mailbox full", "", Report{Full, "5.0.0"}},
		"blocked":                {"Action: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550 5.7.1 Message rejected as spam", "", Report{Blocked, "5.7.1"}},
		"blocked, says 5.1.1":    {"Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 554 Your access to this mail system has been rejected: blocklist", "", Report{Blocked, "5.1.1"}},
		"unknown, says 5.7.1":    {"Action: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 550 User unknown", "", Report{Hard, "5.7.1"}},
		"the diagnosis is finer": {"Action: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550-5.1.1 The account does not exist", "", Report{Hard, "5.1.1"}},
		"delayed":                {"Action: delayed\nStatus: 4.4.7", "", Report{Delayed, "4.4.7"}},
		"delivered":              {"Action: delivered\nStatus: 2.0.0", "", Report{Relieved, "2.0.0"}},
		"gave up":                {"Action: failed\nStatus: 4.4.7\nDiagnostic-Code: smtp; delivery temporarily suspended: connection timed out", "", Report{Soft, "4.4.7"}},
		"a comment":              {"Action: failed (really)\nStatus: 5.1.1 (no such user)", "", Report{Hard, "5.1.1"}},
		"two recipients":         {"Action: delivered\nStatus: 2.0.0\n\nAction: failed\nStatus: 5.1.1", "", Report{Hard, "5.1.1"}},
		"no fields":              {"X: y", "", Report{}},
		"qmail":                  {"", "Hi. This is the qmail-send program at x.\n<a@b>:\n192.0.2.1 does not like recipient.\nRemote host said: 550 No such user here\n", Report{Hard, ""}},
		"exim":                   {"", "This message was created automatically by mail delivery software.\n  a@b\n    all relevant MX records point to non-existent hosts: unrouteable mail domain\n", Report{Hard, ""}},
		"a delay":                {"", "This is a warning message only. YOU DO NOT NEED TO RESEND YOUR MESSAGE.\n", Report{Delayed, ""}},
		"a code in the text":     {"", "host mx said: 452 4.2.2 Over quota (in reply to RCPT)\n", Report{Full, "4.2.2"}},
		"words without a cause":  {"", "Your message could not be delivered.\n", Report{}},
		"nothing":                {"", "", Report{}},
	} {
		kind, body := "text/plain", c.text
		if c.fields != "" {
			kind, body = dsn(c.fields)
		}
		if got, err := ReadReport(header(kind), strings.NewReader(body)); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
	broken := errors.New("broken")
	if _, err := ReadReport(header(""), iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	if _, err := ReadReport(header("multipart/report; boundary=b"), io.LimitReader(endless{}, 10<<20)); err != nil {
		t.Error(err)
	}
}

func TestClassOfReply(t *testing.T) {
	for _, c := range []struct {
		code         int
		status, text string
		want         Class
	}{
		{550, "5.1.1", "5.1.1 <x>: Recipient address rejected: User unknown in local recipient table", Hard},
		{550, "", "No such user here", Hard},
		{550, "", "x", Unclear},
		{550, "5.2.1", "5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages", Soft},
		{550, "5.2.1", "5.2.1 The email account that you tried to reach is disabled", Hard},
		{550, "5.7.1", "5.7.1 Message rejected as spam", Blocked},
		{550, "5.4.1", "5.4.1 Recipient address rejected: Access denied.", Hard},
		{552, "5.2.2", "5.2.2 The email account that you tried to reach is over quota", Full},
		{452, "4.2.2", "4.2.2 mailbox full", Full},
		{450, "4.1.1", "4.1.1 user unknown", Soft},
		{451, "4.7.1", "4.7.1 Greylisting in action", Soft},
		{554, "5.7.1", "5.7.1 Service unavailable; Client host blocked using a list", Blocked},
		{550, "", "sender's domain has no MX record", Blocked},
		{550, "", "DNS lookup of your HELO name: host not found", Blocked},
		{554, "", "Transaction failed: your server could not be found in DNS", Blocked},
		{550, "", "Unknown error, please contact postmaster", Unclear},
		{550, "5.7.1", "5.7.1 SPF: no MX record and no SPF for x.example", Blocked},
		{550, "5.7.1", "5.7.1 domain name doesn't exist. Your IP was not found in our allow list", Blocked},
		{550, "5.1.0", "5.1.0 sender x rejected. AUP", Blocked},
		{550, "", "mail from your domain does not exist", Blocked},
		{550, "5.1.0", "5.1.0 Address rejected", Unclear},
		{550, "5.7.1", "5.7.1 <x>: Recipient address rejected: User unknown", Hard},
		{550, "5.1.8", "5.1.8 Sender address rejected: Domain not found", Blocked},
	} {
		if got := ClassOfReply(c.code, c.status, c.text); got != c.want {
			t.Errorf("%d %s is %q, want %q", c.code, c.text, got, c.want)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "--b\r\n5.1.1 user unknown\r\n"), nil }

func FuzzReadReport(f *testing.F) {
	kind, body := dsn("Action: failed\nStatus: 5.1.1")
	f.Add(kind, body)
	f.Add("multipart/report; boundary=x", "--x\n\n--x--")
	f.Fuzz(func(t *testing.T, kind, body string) {
		r, err := ReadReport(header(kind), strings.NewReader(body))
		if err != nil || r.Status != "" && statusIn(" "+r.Status+" ") == "" {
			t.Errorf("%+v, %v", r, err)
		}
	})
}
