package imapd

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// refused checks that a command is answered with NO or BAD and this code.
func refused(t *testing.T, what string, err error, code imap.ResponseCode) {
	t.Helper()
	var e *imap.Error
	if !errors.As(err, &e) || !strings.HasPrefix(string(e.Code), string(code)) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestMetadata(t *testing.T) {
	x := newBig(t, 1)
	s := x.session()
	get := func(mailbox string, o MetadataOptions, names ...string) string {
		t.Helper()
		list, longest, err := s.Metadata(mailbox, names, o)
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, m := range list {
			out += fmt.Sprintf("%s=%s ", m.Name, m.Value)
		}
		return fmt.Sprintf("%s%d", out, longest)
	}
	any := MetadataOptions{MaxSize: -1}
	err := s.SetMetadata("INBOX", []Metadata{{"/private/Comment", []byte("mine")}, {"/private/comment/Thunderbird", []byte("a longer one")}, {"/private/comment/thunderbird/color", []byte("red")}, {"/shared/comment", []byte("ours")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o     MetadataOptions
		names []string
		want  string
	}{
		{any, []string{"/private/COMMENT"}, "/private/comment=mine 0"},
		{any, []string{"/private/comment", "/shared/comment"}, "/private/comment=mine /shared/comment=ours 0"},
		{MetadataOptions{MaxSize: -1, Depth: DepthOne}, []string{"/private/comment"}, "/private/comment=mine /private/comment/thunderbird=a longer one 0"},
		{MetadataOptions{MaxSize: -1, Depth: DepthInfinity}, []string{"/private"}, "/private/comment=mine /private/comment/thunderbird=a longer one /private/comment/thunderbird/color=red 0"},
		{MetadataOptions{MaxSize: 5, Depth: DepthInfinity}, []string{"/private"}, "/private/comment=mine /private/comment/thunderbird/color=red 12"},
		{any, []string{"/private/com"}, "0"},
		{any, []string{entryNotify}, "0"}, // of the account, not of a mailbox
	} {
		if got := get("INBOX", c.o, c.names...); got != c.want {
			t.Errorf("%v %+v: %s, want %s", c.names, c.o, got, c.want)
		}
	}
	if err := s.SetMetadata("INBOX", []Metadata{{"/private/comment", nil}}); err != nil {
		t.Fatal(err)
	}
	if got := get("INBOX", any, "/private/comment"); got != "0" {
		t.Errorf("what was removed: %s", got)
	}

	refused(t, "no such mailbox", s.SetMetadata("Nowhere", nil), imap.ResponseCodeNonExistent)
	refused(t, "too long", s.SetMetadata("", []Metadata{{"/private/x", make([]byte, store.MaxAnnotation+1)}}), "METADATA MAXSIZE")
	refused(t, "shared by all", s.SetMetadata("", []Metadata{{"/shared/comment", []byte("x")}}), imap.ResponseCodeNoPerm)
	var many []Metadata
	for i := range store.MaxAnnotations + 1 {
		many = append(many, Metadata{fmt.Sprint("/private/n", i), []byte{}})
	}
	refused(t, "too many", s.SetMetadata("", many), "METADATA TOOMANY")
	for _, name := range []string{"", "/", "/private/", "/private//x", "/private/x/", "/private/*", "/private/%", "/private/é", "/public/x", "comment", "/private/" + strings.Repeat("x", 300)} {
		refused(t, "the name "+name, s.SetMetadata("", []Metadata{{name, nil}}), "")
	}
}

func TestMetadataOfTheNotificationSetting(t *testing.T) {
	x := newBig(t, 1)
	s := x.session()
	check := func(want threading.Alerts) {
		t.Helper()
		m, err := x.store.Member(t.Context(), x.tess.ID)
		if err != nil || m.Alerts != want {
			t.Errorf("the member gets %s, %v; want %s", m.Alerts, err, want)
		}
		list, _, err := s.Metadata("", []string{"/private/vendor"}, MetadataOptions{MaxSize: -1, Depth: DepthInfinity})
		if err != nil || len(list) != 1 || list[0].Name != entryNotify || string(list[0].Value) != string(want) {
			t.Errorf("%q, %v; want %s", list, err, want)
		}
	}
	check(threading.AlertsImmediate)
	for value, want := range map[string]threading.Alerts{"daily": threading.AlertsDaily, " Never": threading.AlertsNever, "IMMEDIATE": threading.AlertsImmediate} {
		if err := s.SetMetadata("", []Metadata{{"/Private/Vendor/Stagedoor/Notify", []byte(value)}}); err != nil {
			t.Fatal(err)
		}
		check(want)
	}
	if err := s.SetMetadata("", []Metadata{{entryNotify, []byte("never")}}); err != nil {
		t.Fatal(err)
	}
	refused(t, "another word", s.SetMetadata("", []Metadata{{entryNotify, []byte("hourly")}}), imap.ResponseCodeCannot)
	check(threading.AlertsNever)
	if err := s.SetMetadata("", []Metadata{{entryNotify, nil}}); err != nil {
		t.Fatal(err)
	}
	check(threading.AlertsImmediate)
}

// Below the setting stand those of single conversations, by their THREADID.
func TestMetadataOfAConversation(t *testing.T) {
	x := newBig(t, 1)
	s := x.session()
	var thread string
	err := s.Fetch(imap.SeqSetNum(1), &FetchOptions{}, func(m *Message) error {
		thread = m.ThreadID()
		return nil
	})
	if err != nil || thread == "" {
		t.Fatalf("%q, %v", thread, err)
	}
	entry := entryNotify + "/" + thread
	for _, c := range []struct {
		value []byte
		want  string
	}{{[]byte("daily"), "daily"}, {[]byte("never"), "never"}, {[]byte("immediate"), "immediate"}, {nil, ""}} {
		if err := s.SetMetadata("", []Metadata{{entry, c.value}}); err != nil {
			t.Fatal(err)
		}
		list, _, err := s.Metadata("", []string{entryNotify}, MetadataOptions{MaxSize: -1, Depth: DepthOne})
		got := ""
		for _, m := range list {
			if strings.EqualFold(m.Name, entry) {
				got = string(m.Value)
			}
		}
		if err != nil || got != c.want {
			t.Errorf("%q: %q, %v", c.value, list, err)
		}
		own, err := x.store.ThreadAlerts(t.Context(), x.tess.ID, s.parseObjectID(seal.TokenThread, thread))
		if err != nil || string(own) != c.want {
			t.Errorf("%q: the conversation's is %q, %v", c.value, own, err)
		}
	}
	refused(t, "another word", s.SetMetadata("", []Metadata{{entry, []byte("hourly")}}), imap.ResponseCodeCannot)
	for _, name := range []string{"x", "t", "T" + strings.Repeat("a", 26), thread + "x", thread + "/x"} {
		refused(t, "no conversation: "+name, s.SetMetadata("", []Metadata{{entryNotify + "/" + name, []byte("daily")}}), imap.ResponseCodeNonExistent)
	}
}

func TestQuotaIsToldAndKept(t *testing.T) {
	s := newBig(t, 1).session()
	if q, err := s.QuotaRoot("INBOX"); q != nil || err != nil {
		t.Errorf("without a bound: %+v, %v", q, err)
	}
	x := newBigWith(t, 3, store.Options{Quota: 10 << 10})
	s = x.session()
	for _, ask := range []func() (*Quota, error){func() (*Quota, error) { return s.Quota("") }, func() (*Quota, error) { return s.QuotaRoot("Sent") }} {
		if q, err := ask(); err != nil || q.Limit != 10 || q.Usage < 6 || q.Usage > 10 {
			t.Errorf("%+v, %v", q, err)
		}
	}
	_, err := s.Quota("other")
	refused(t, "another root", err, imap.ResponseCodeNonExistent)
	_, err = s.QuotaRoot("Nowhere")
	refused(t, "no such mailbox", err, imap.ResponseCodeNonExistent)
	header, text := x.message(1)
	for range 2 {
		err = appendOne(s, "Drafts", strings.NewReader(string(header)+text), int64(len(header)+len(text)), s.checked)
	}
	refused(t, "APPEND", err, imap.ResponseCodeOverQuota)
	_, _, err = s.Copy(imap.SeqSetNum(1, 2, 3), "Drafts", false)
	refused(t, "COPY", err, imap.ResponseCodeOverQuota)
}

func TestPreviewAndSaveDate(t *testing.T) {
	x := newBig(t, 2)
	s := x.session()
	n := 0
	err := s.Fetch(imap.SeqSetNum(1, 2), &FetchOptions{}, func(m *Message) error {
		n++
		preview, err := m.Preview()
		_, text := x.message(n - 1)
		if words := strings.Join(strings.Fields(text), " "); err != nil || len(preview) < 150 || !strings.HasPrefix(words, preview) {
			t.Errorf("preview %q, %v", preview, err)
		}
		if m.SaveDate().IsZero() || !m.SaveDate().Equal(m.InternalDate()) {
			t.Errorf("saved %v, of %v", m.SaveDate(), m.InternalDate())
		}
		return nil
	})
	if err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if _, _, err := s.Copy(imap.SeqSetNum(1), "Archives", false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Select("Archives", SelectOptions{ReadOnly: true}); err != nil {
		t.Fatal(err)
	}
	err = s.Fetch(imap.SeqSetNum(1), &FetchOptions{}, func(m *Message) error {
		if !m.SaveDate().After(m.InternalDate()) {
			t.Errorf("the copy was saved %v, the message's date is %v", m.SaveDate(), m.InternalDate())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
