package export

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

func (a *testAccount) zip() map[string]string {
	a.t.Helper()
	var b bytes.Buffer
	if _, err := Zip(a.t.Context(), a.Store, a.member, &b); err != nil {
		a.t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		a.t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			a.t.Fatal(err)
		}
		text, err := io.ReadAll(in) // checks the sum too
		if err != nil {
			a.t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

// The archive has the mailboxes as the mbox format writes them, and what is
// the member's own.
func TestZip(t *testing.T) {
	a := newAccount(t)
	a.put("INBOX", "From: Sam <t-x@msg.example>\r\nSubject: one\r\n", "From here\r\n", threading.FlagSeen)
	a.put("A", "Subject: two\r\n", "x\r\n", 0)
	a.put("a", "Subject: three\r\n", "x\r\n", 0) // the same file on some systems
	sam, err := a.AddMember(t.Context(), threading.Member{Handle: "sam", Name: "Sam"}, []string{"sam.private@agency.example"})
	if err == nil {
		err = a.Block(t.Context(), a.member.ID, sam.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	files := a.zip()
	dir, _ := a.write(Mbox)
	for name, text := range tree(t, dir) {
		if name == "a.mbox" {
			name = "a~" + nameHash("a") + ".mbox"
		}
		if files[name] != text {
			t.Errorf("%s: %q, want %q", name, files[name], text)
		}
		delete(files, name)
	}
	account := files[accountFile]
	for _, want := range []string{`"handle": "tess"`, `"address": "` + secret + `"`, `"primary": true`, `"Sam"`, `"alerts": "immediate"`} {
		if !strings.Contains(account, want) {
			t.Errorf("%s lacks %s:\n%s", accountFile, want, account)
		}
	}
	if delete(files, accountFile); len(files) != 0 {
		t.Errorf("more files: %v", files)
	}
	if strings.Contains(account, "sam.private") {
		t.Error("somebody else's address is in it")
	}
}

// What is cut off is no archive.
func TestZipThatIsCutOff(t *testing.T) {
	a := newAccount(t)
	a.put("INBOX", "Subject: one\r\n", strings.Repeat("text\r\n", 100), 0)
	var whole bytes.Buffer
	if _, err := Zip(t.Context(), a.Store, a.member, &whole); err != nil {
		t.Fatal(err)
	}
	short := &shortWriter{room: whole.Len() / 2}
	if _, err := Zip(t.Context(), a.Store, a.member, short); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("no error of the connection: %v", err)
	}
	if _, err := zip.NewReader(bytes.NewReader(short.got), int64(len(short.got))); err == nil {
		t.Error("half an archive opens")
	}
}

type shortWriter struct {
	room int
	got  []byte
}

func (w *shortWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	w.got = slices.Concat(w.got, p[:n])
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// What the member said and chose is in it; what the operator says, and what may
// be somebody else's, is not.
func TestZipOfDealings(t *testing.T) {
	a := newAccount(t)
	ctx := t.Context()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sam, err := a.AddMember(ctx, threading.Member{Handle: "sam", Name: "Sam"}, []string{"sam.private@agency.example"})
	do(err)
	a.member, err = a.ChangeMember(ctx, a.member.Handle, func(m *threading.Member) error {
		m.Language, m.FirstContact = "de", threading.FirstContactOwn
		return nil
	})
	do(err)
	thread, alias := a.IDs().Next(), a.IDs().Next()
	body := a.NewBody(ctx)
	_, err = io.WriteString(body, "Hello\r\n")
	do(err)
	b, err := body.Finish()
	do(err)
	_, err = a.File(ctx, threading.Filing{
		NewThread: &threading.NewThread{
			Thread: threading.Thread{ID: thread, Subject: "Ophelia", StartedBy: sam.ID, Status: threading.ThreadOpen}, Participants: []threading.ID{a.member.ID, sam.ID},
			Aliases: []threading.Alias{{ID: alias, ThreadID: thread, ViewerID: a.member.ID, OtherID: sam.ID}},
		},
		Message: threading.Message{ID: a.IDs().Next(), ThreadID: thread, WriterID: sam.ID, BodyID: b.ID}, Body: b,
		Copies: []threading.Copy{{MemberID: a.member.ID, Mailbox: threading.UseInbox, Header: []byte("Subject: Ophelia\r\n\r\n")}},
	})
	do(err)
	do(a.SetThreadAlerts(ctx, a.member.ID, thread, threading.AlertsDaily))
	r, _, err := a.AddReport(ctx, threading.Report{ReporterID: a.member.ID, OtherID: sam.ID, ThreadID: thread, Via: threading.ReportPage, Reason: "wants <money>"})
	do(err)
	do(a.ResolveReport(ctx, r.ID, "known to the police"))
	do(a.Hold(ctx, store.Held{MemberID: a.member.ID, AliasID: alias, Recipient: "t-x", Reason: "not proven", Sender: "otto.private@mail.example", Raw: []byte("whose?"), HeldAt: r.CreatedAt}, nil))
	account := a.zip()[accountFile]
	const conversation = "\n      \"subject\": \"Ophelia\",\n      \"with\": [\n        \"Sam\"\n      ],\n      "
	for _, want := range []string{
		`"language": "de"`, `"first_contact": "own"`, `"conversations_with_own_alerts": [` + "\n    {" + conversation + `"alerts": "daily"`,
		`"reports": [` + "\n    {" + conversation + `"of": "Sam"`, `"via": "page"`, `"reason": "wants <money>"`, `"status": "resolved"`,
		`"held_messages": [` + "\n    {" + conversation + `"came": "2026-03-01T12:00:00Z"`,
	} {
		if !strings.Contains(account, want) {
			t.Errorf("it lacks %s:\n%s", want, account)
		}
	}
	for _, not := range []string{"otto", "whose?", "police", "sam.private"} {
		if strings.Contains(account, not) {
			t.Errorf("it shows %s", not)
		}
	}
}
