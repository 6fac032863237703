package relay

import (
	"slices"
	"strings"
	"testing"
)

func TestHeadEndsAtAnEmptyLine(t *testing.T) {
	for raw, want := range map[string]string{
		"A: 1\r\n\r\nFrom: x\r\n":         "",
		"A: 1\n\nFrom: x\n":               "",
		"A: 1\r\n\r\r\nFrom: x\r\n\r\n":   "x", // senderauth reads that far too
		"A: 1\r\nno field\r\nFrom: x\r\n": "x",
		"\r\nFrom: x\r\n":                 "",
	} {
		h, err := readHead(strings.NewReader(raw))
		if err != nil || h.get("From") != want {
			t.Errorf("%q: From is %q, %v", raw, h.get("From"), err)
		}
	}
}

func TestAddressesInAnyCharset(t *testing.T) {
	h, err := readHead(strings.NewReader("To: =?windows-1251?q?=D2=E5=F1=F1?= <tess@msg.example.com>, =?x-unknown?q?Sam?= <sam@msg.example.com>\r\nCc: broken <\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := h.addresses("To"); !slices.Equal(got, []string{"tess@msg.example.com", "sam@msg.example.com"}) {
		t.Errorf("To: %v", got)
	}
	if list := h.mailboxes("To"); list[0].Name != "Тесс" || list[1].Name != "Sam" {
		t.Errorf("To: %v", list)
	}
	if got := h.addresses("Cc"); got != nil {
		t.Errorf("Cc: %v", got)
	}
}
