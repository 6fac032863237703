package wire

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/store"
)

// manyMessages is how many the benchmarks' mailbox holds.
const manyMessages = 10000

// fill puts n different messages of about 2 KB into INBOX.
func (h *house) fill(n int) {
	h.Helper()
	ctx := context.Background()
	mb, err := h.store.Mailbox(ctx, h.tess.ID, "INBOX")
	if err != nil {
		h.Fatal(err)
	}
	words := strings.Fields("the stage light curtain audition rehearsal costume director monday tuesday evening theatre please confirm whether you could come with the script and bring some friend")
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			for i := w; i < n; i += 16 {
				header := fmt.Appendf(nil, "From: =?utf-8?q?Sam_Cast=C3=AFng_%d_via_Backstage?= <t-%d@msg.example.com>\r\nTo: \"Tess\" <tess@msg.example.com>\r\nSubject: Callback %d for Ophelia\r\nDate: Tue, 01 Sep 2026 08:00:00 +0000\r\nMessage-ID: <m%d@msg.example.com>\r\nReferences: <r%d@msg.example.com>\r\nKeywords: Hamlet, Ophelia\r\nX-Production: Hamlet\r\nX-Role: Ophelia\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n", i%50, i%50, i, i, i/4)
				var body strings.Builder
				for k := range 200 {
					body.WriteString(words[(i*7+k*(1+i%5))%len(words)])
					body.WriteByte(" \n"[k%12/11])
				}
				fmt.Fprintf(&body, "number n%dn\r\n", i)
				c, err := mimetree.Read(header, strings.NewReader(body.String()))
				if err != nil {
					h.Error(err)
				}
				b := h.store.NewBody(ctx)
				_, _ = b.Write([]byte(body.String()))
				written, err := b.Finish()
				if err != nil {
					h.Error(err)
				}
				written.Content = c
				if _, _, err := h.store.Append(ctx, h.tess.ID, mb.ID, store.NewItem{Header: header, Body: written, SavedAt: time.Now()}); err != nil {
					h.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkCommands is what a client waits for in a mailbox of 10,000 messages.
func BenchmarkCommands(b *testing.B) {
	h := newHouse(b)
	h.fill(manyMessages)
	p := h.signIn("INBOX")
	_ = p.SetDeadline(time.Now().Add(10 * time.Minute))
	for _, c := range []struct{ name, command string }{
		{"Flags", "UID FETCH 1:* (FLAGS)"},
		{"Envelopes", "FETCH 1:* (UID FLAGS ENVELOPE)"},
		{"HeaderFields", "UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (From Subject Date Message-ID)])"},
		{"Bodies", "UID FETCH 1:1000 (BODY.PEEK[])"},
		{"SearchTextOne", "SEARCH TEXT n5000n"},
		{"SearchTextAll", "SEARCH TEXT ophelia"},
		{"SearchTextNone", "SEARCH TEXT verona"},
		{"SearchBodyAll", "SEARCH BODY rehearsal"},
		{"SearchSubject", `SEARCH SUBJECT "callback 777"`},
		{"SearchUnseen", "SEARCH UNSEEN"},
		{"StoreAll", "STORE 1:* +FLAGS.SILENT ($label1)"},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				h.say(p, "bench "+c.command, "bench OK")
			}
		})
	}
}
