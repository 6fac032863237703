package wire

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// done fails the test unless err is nil.
func (h *house) done(what string, err error) {
	h.Helper()
	if err != nil {
		h.Fatalf("%s: %v", what, err)
	}
}

// TestASessionWithAClientLibrary drives a whole session with imapclient: what a
// mail program does in a day.
func TestASessionWithAClientLibrary(t *testing.T) {
	h := newHouse(t)
	news := make(chan uint32, 10)
	watcher, err := imapclient.DialInsecure(h.addr, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				news <- *d.NumMessages
			}
		},
	}})
	h.done("dial", err)
	defer watcher.Close()
	h.done("login", watcher.Login("tess@msg.example.com", "secret-1").Wait())
	_, err = watcher.Select("INBOX", nil).Wait()
	h.done("select", err)
	idle, err := watcher.Idle()
	h.done("idle", err)

	h.deliver("INBOX", "From: Sam <t-abc@msg.example.com>\nSubject: =?iso-8859-1?q?Caf=E9?= at noon\nMessage-ID: <m1@msg.example.com>\nDate: Tue, 01 Sep 2026 08:00:00 +0000\nX-Production: Hamlet\n\nShall we meet?\n")
	select {
	case n := <-news:
		if n != 1 {
			t.Errorf("%d messages", n)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the watcher hears nothing")
	}
	h.done("end of IDLE", idle.Close())
	h.done("idle", idle.Wait())

	c, err := imapclient.DialInsecure(h.addr, nil)
	h.done("dial", err)
	defer c.Close()
	h.done("login", c.Login("TESS", "secret-1").Wait())
	boxes, err := c.List("", "*", &imap.ListOptions{ReturnStatus: &imap.StatusOptions{NumMessages: true, NumUnseen: true}, ReturnSpecialUse: true}).Collect()
	h.done("list", err)
	uses := map[imap.MailboxAttr]string{}
	for _, b := range boxes {
		for _, a := range b.Attrs {
			uses[a] = b.Mailbox
		}
		if b.Mailbox == "INBOX" && (b.Status == nil || *b.Status.NumUnseen != 1) {
			t.Errorf("INBOX's status is %+v", b.Status)
		}
	}
	for use, name := range map[imap.MailboxAttr]string{imap.MailboxAttrSent: "Sent", imap.MailboxAttrArchive: "Archives", imap.MailboxAttrDrafts: "Drafts", imap.MailboxAttrTrash: "Trash", imap.MailboxAttrJunk: "Junk"} {
		if uses[use] != name {
			t.Errorf("%s is %q", use, uses[use])
		}
	}
	_, err = c.Select("INBOX", nil).Wait()
	h.done("select", err)
	h.read(c)
	h.answer(c)
	h.archive(c)
}

// read finds the message and reads it.
func (h *house) read(c *imapclient.Client) {
	h.Helper()
	found, err := c.UIDSearch(&imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "CAFE"}}, Text: []string{"hamlet"}}, nil).Wait()
	h.done("search", err)
	if !slices.Equal(found.AllUIDs(), []imap.UID{1}) {
		h.Fatalf("found %v", found.AllUIDs())
	}
	section := &imap.FetchItemBodySection{}
	msgs, err := c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{UID: true, Flags: true, Envelope: true, RFC822Size: true, InternalDate: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, BodySection: []*imap.FetchItemBodySection{section}}).Collect()
	h.done("fetch", err)
	m := msgs[0]
	if m.Envelope.Subject != "Café at noon" || m.Envelope.From[0].Name != "Sam" || m.Envelope.MessageID != "m1@msg.example.com" || m.BodyStructure.MediaType() != "text/plain" {
		h.Errorf("%+v", m.Envelope)
	}
	if body := m.FindBodySection(section); !strings.HasSuffix(string(body), "\r\n\r\nShall we meet?\r\n") || int64(len(body)) != m.RFC822Size {
		h.Errorf("%q, size %d", body, m.RFC822Size)
	}
	if !slices.Contains(m.Flags, imap.FlagSeen) {
		h.Errorf("flags %v after reading", m.Flags)
	}
}

// answer keeps a draft and the copy in Sent, and flags the message.
func (h *house) answer(c *imapclient.Client) {
	h.Helper()
	text := "Subject: Re: yes\r\nMessage-ID: <mine@laptop.example>\r\n\r\nGladly!\r\n"
	for _, box := range []string{"Drafts", "Sent"} {
		w := c.Append(box, int64(len(text)), &imap.AppendOptions{Flags: []imap.Flag{imap.FlagSeen}, Time: time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)})
		_, err := io.WriteString(w, text)
		h.done("append", err)
		h.done("append", w.Close())
		d, err := w.Wait()
		h.done("append", err)
		if d.UID != 1 || d.UIDValidity == 0 {
			h.Errorf("appended to %s as %+v", box, d)
		}
	}
	msgs, err := c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagAnswered, imap.FlagForwarded}}, nil).Collect()
	h.done("store", err)
	if len(msgs) != 1 || !slices.Contains(msgs[0].Flags, imap.FlagAnswered) || !slices.Contains(msgs[0].Flags, imap.FlagForwarded) {
		h.Errorf("%+v", msgs)
	}
}

// archive does as Thunderbird's archive key does.
func (h *house) archive(c *imapclient.Client) {
	h.Helper()
	h.done("create", c.Create("Archives/2026", nil).Wait())
	h.done("subscribe", c.Subscribe("Archives/2026").Wait())
	moved, err := c.Move(imap.UIDSetNum(1), "Archives/2026").Wait()
	h.done("move", err)
	if fmt.Sprint(moved.SourceUIDs, moved.DestUIDs) != "1 1" {
		h.Errorf("moved %v to %v", moved.SourceUIDs, moved.DestUIDs)
	}
	st, err := c.Status("Archives/2026", &imap.StatusOptions{NumMessages: true, NumUnseen: true, Size: true}).Wait()
	h.done("status", err)
	if *st.NumMessages != 1 || *st.NumUnseen != 0 || *st.Size == 0 {
		h.Errorf("%+v", st)
	}
	if _, err := c.Select("Archives/2026", nil).Wait(); err != nil {
		h.Fatal(err)
	}
	h.done("delete", c.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close())
	seqs, err := c.Expunge().Collect()
	h.done("expunge", err)
	if !slices.Equal(seqs, []uint32{1}) {
		h.Errorf("expunged %v", seqs)
	}
	h.done("logout", c.Logout().Wait())
}
