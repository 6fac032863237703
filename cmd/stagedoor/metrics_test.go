package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// page reads a page of the daemon; want is its status.
func page(t *testing.T, url string, want int) string {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		t.Fatalf("%s: %s (%v), want %d", url, res.Status, err, want)
	}
	return string(text)
}

// What happens at the doors is counted, and no member can be made out in it.
func TestMetricsOfADaemon(t *testing.T) {
	d := startDaemon(t, t.TempDir(), "[metrics]\nlisten = [\"127.0.0.1:0\"]\n")
	defer stopNow(t, d)
	ctx := context.Background()
	for _, m := range []threading.Member{{Handle: "tess", Name: "Tess"}, {Handle: "sam", Name: "Sam"}} {
		m, err := d.open.AddMember(ctx, m, []string{m.Handle + "@" + m.Handle + ".example"})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.open.setPassword(ctx, m, "correct horse"); err != nil {
			t.Fatal(err)
		}
	}
	smtp := dial(t, d.bound.smtp[0])
	smtp.hear("220 ")
	smtp.say("EHLO client.test\r\nMAIL FROM:<sam@sam.example>\r\nRCPT TO:<t-aaaaaaaaaaaaaaaaaaaaaaaaaa@msg.test>")
	smtp.hear("550 ")
	for range 2 { // the second is a sender's retry
		smtp.say("RSET\r\nMAIL FROM:<sam@sam.example>\r\nRCPT TO:<tess@msg.test>\r\nDATA")
		smtp.hear("354 ")
		smtp.say("From: Sam <sam@sam.example>\r\nTo: tess@msg.test\r\nSubject: Counted\r\nMessage-ID: <1@sam.example>\r\n\r\nHello Tess\r\n.")
		smtp.hear("250 2")
	}
	smtp.say("RSET\r\nMAIL FROM:<>\r\nRCPT TO:<tess@msg.test>\r\nDATA")
	smtp.hear("354 ")
	smtp.say("From: Robot <robot@sam.example>\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n.")
	smtp.hear("250 2")
	imap := dial(t, d.bound.imap[0])
	imap.say("a LOGIN tess \"correct horse\"")
	imap.hear("a OK")

	text := page(t, "http://"+d.bound.metrics[0]+"/metrics", http.StatusOK)
	for _, series := range []string{
		`stagedoor_smtp_answers_total{door="smtp",stage="recipient",verdict="accepted"} 3`,
		`stagedoor_smtp_answers_total{door="smtp",stage="recipient",verdict="refused"} 1`,
		`stagedoor_smtp_answers_total{door="smtp",stage="message",verdict="accepted"} 3`,
		`stagedoor_smtp_message_seconds_count{door="smtp"} 3`,
		`stagedoor_messages_total{outcome="filed"} 1`,
		`stagedoor_messages_total{outcome="duplicate"} 1`,
		`stagedoor_messages_total{outcome="automatic"} 1`,
		`stagedoor_gate_stopped_total 0`,
		`stagedoor_queue_rows 1`,
		`stagedoor_imap_connections 1`,
		`stagedoor_imap_sessions 1`,
	} {
		if !strings.Contains(text, "\n"+series+"\n") {
			t.Errorf("missing: %s", series)
		}
	}
	if want := fmt.Sprintf("\nstagedoor_certificate_expiry_timestamp_seconds %v\n", float64(d.certs.Expiry().Unix())); !strings.Contains(text, want) {
		t.Errorf("missing: %s", want)
	}
	for _, word := range []string{"tess", "sam.example", "msg.test", "@", "Counted"} {
		if strings.Contains(text, word) {
			t.Errorf("the metrics tell %q", word)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
	// What members reach does not show them.
	page(t, "http://"+d.bound.http[0]+"/metrics", http.StatusNotFound)
}
