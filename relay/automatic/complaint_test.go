package automatic

import (
	"strings"
	"testing"
)

func TestReadFeedback(t *testing.T) {
	const about = "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: Callback\r\nX: about it\r\n\r\nHello\r\n"
	machine := func(fields string) string {
		return "--b\r\n\r\nA person complains.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n" + fields + "\r\n" + about + "--b--\r\n"
	}
	for name, c := range map[string]struct {
		kind, body string
		want       string
		complains  bool
	}{
		"abuse":               {"multipart/report; report-type=feedback-report; boundary=b", machine("Feedback-Type: abuse\r\nVersion: 1\r\n"), "abuse", true},
		"in capitals":         {"multipart/report; report-type=feedback-report; boundary=b", machine("feedback-type: Opt-Out\r\n"), "opt-out", true},
		"a failed signature":  {"multipart/report; report-type=feedback-report; boundary=b", machine("Feedback-Type: auth-failure\r\n"), "auth-failure", false},
		"no spam after all":   {"multipart/report; report-type=feedback-report; boundary=b", machine("Feedback-Type: not-spam\r\n"), "not-spam", false},
		"no type":             {"multipart/report; report-type=feedback-report; boundary=b", machine("Version: 1\r\n"), "", true},
		"only the message":    {"multipart/mixed; boundary=b", about + "--b--\r\n", "", true},
		"not in parts at all": {"", "X: about it\r\n", "", true},
		"a broken boundary":   {"multipart/report; boundary=c", about, "", true},
	} {
		f, err := ReadFeedback(header(c.kind), strings.NewReader(c.body))
		if err != nil || f.Type != c.want || f.Complains() != c.complains {
			t.Errorf("%s: type %q, complains %v, %v", name, f.Type, f.Complains(), err)
		}
		if !strings.Contains(string(f.About), "X: about it") {
			t.Errorf("%s: it is about %q", name, f.About)
		}
	}
}

func FuzzReadFeedback(f *testing.F) {
	f.Add("multipart/report; boundary=b", "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n\r\n--b--\r\n")
	f.Fuzz(func(t *testing.T, kind, body string) {
		if got, err := ReadFeedback(header(kind), strings.NewReader(body)); err != nil || len(got.About) > len(body)+100 {
			t.Errorf("%d octets of %d, %v", len(got.About), len(body), err)
		}
	})
}
