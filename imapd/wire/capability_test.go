package wire

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// rfcs say where each capability is specified.
var rfcs = map[imap.Cap]string{
	imap.CapIMAP4rev2: "9051", imap.CapIMAP4rev1: "3501", imap.CapSASLIR: "4959", imap.CapLiteralPlus: "7888", imap.CapID: "2971", imap.CapEnable: "5161", imap.CapIdle: "2177",
	imap.CapNamespace: "2342", imap.CapUnselect: "3691", imap.CapUIDPlus: "4315", imap.CapESearch: "4731", imap.CapSearchRes: "5182", imap.CapMultiSearch: "7377", imap.CapWithin: "5032",
	imap.CapMove: "6851", imap.CapListExtended: "5258", imap.CapListStatus: "5819", imap.CapStatusSize: "8438", imap.CapSpecialUse: "6154", imap.CapCreateSpecialUse: "6154",
	imap.CapChildren: "3348", imap.CapBinary: "3516", imap.CapCondStore: "7162", imap.CapQResync: "7162", imap.CapSort: "5256", imap.CapSortDisplay: "5957", imap.CapESort: "5267",
	capPartial: "9394", "THREAD=REFERENCES": "5256", capThreadRefs: "5256", "THREAD=ORDEREDSUBJECT": "5256", imap.CapObjectID: "8474", imap.CapPreview: "8970", imap.CapSaveDate: "8514",
	imap.CapAppendLimit: "7889", imap.CapMultiAppend: "3502", imap.CapReplace: "8508", imap.CapQuota: "9208", capQuotaRes: "9208", imap.CapMetadata: "5464", imap.CapNotify: "5465",
	capCompress: "4978", imap.CapUTF8Accept: "6855", imap.CapInProgress: "9585",
}

// Each capability that is told has a dialog, or a test where a dialog can't show
// it, that names its RFC and a section of it.
func TestEachCapabilityIsShown(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var comments strings.Builder
	for _, f := range append(files, tests...) {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			line, dialog := strings.CutPrefix(line, "#")
			if !dialog {
				_, line, _ = strings.Cut(line, "//")
			}
			comments.WriteString(strings.TrimSpace(line) + " ")
		}
	}
	for _, name := range memberCaps {
		if name == capXList { // of before RFC 6154
			continue
		}
		rfc := rfcs[name]
		if rfc == "" {
			t.Errorf("where is %s specified?", name)
			continue
		}
		if !regexp.MustCompile(`\bRFC ` + rfc + ` (section|appendix)`).MatchString(comments.String()) {
			t.Errorf("%s: no dialog names a section of RFC %s", name, rfc)
		}
	}
}

// What the operator switches off is neither told nor understood, for all or for
// one client.
func TestDisabledCapabilities(t *testing.T) {
	h := newHouse(t, func(o *Options, _ *imapd.Options) {
		o.Disabled = []string{"NOTIFY", "imap4rev2", "Outlook:CONDSTORE", "Outlook:qresync", "Mail App:MOVE"}
	})
	p := h.signIn("INBOX")
	told := func(want bool, names ...string) {
		t.Helper()
		caps := h.say(p, "a CAPABILITY", "* CAPABILITY") + " "
		h.hear(p, "a OK")
		for _, name := range names {
			if strings.Contains(strings.ReplaceAll(caps, "\r\n", " "), " "+name+" ") != want {
				t.Errorf("%s told: %v", name, !want)
			}
		}
	}
	told(false, "NOTIFY", "IMAP4rev2")
	told(true, "CONDSTORE", "QRESYNC", "MOVE", "IMAP4rev1")
	h.say(p, "a NOTIFY NONE", "a BAD")
	h.say(p, "a ENABLE IMAP4rev2", "* ENABLED\r\n")
	h.hear(p, "a OK")
	h.say(p, `a ID ("name" "Microsoft Outlook" "version" "16")`, "a OK")
	told(false, "CONDSTORE", "QRESYNC")
	told(true, "MOVE")
	h.say(p, "a FETCH 1:* FLAGS (CHANGEDSINCE 1)", "a BAD")
	h.say(p, "a SELECT INBOX (CONDSTORE)", "a BAD")
	h.say(p, `a ID ("name" "Mail App")`, "a OK")
	told(false, "MOVE")
	h.say(p, "a MOVE 1 Archives", "a BAD")
}

func TestCheckDisabled(t *testing.T) {
	for entry, ok := range map[string]bool{
		"QRESYNC": true, "qresync": true, "THREAD=REFS": true, "Outlook:QRESYNC": true, "Apple Mail:COMPRESS=DEFLATE": true,
		"": false, "IMAP4rev1": false, ":QRESYNC": false, "Outlook:": false, "X-NOTHING": false,
	} {
		if got := CheckDisabled(entry); (got == "") != ok {
			t.Errorf("CheckDisabled(%q) = %q", entry, got)
		}
	}
}

// A long search says how far it is (RFC 9585 section 3.1), to clients that know
// no such thing too: it is an OK.
func TestInProgress(t *testing.T) {
	h := newHouse(t)
	h.srv.progressAfter = 0
	h.fill(2100)
	p := h.signIn("INBOX")
	if got := h.say(p, "a SEARCH NOT BODY nowhere", "* OK"); !strings.HasPrefix(got, `* OK [INPROGRESS ("a" 2000 2100)] `) {
		t.Errorf("%q", got)
	}
	h.hear(p, "* SEARCH")
	h.hear(p, "a OK")
}
