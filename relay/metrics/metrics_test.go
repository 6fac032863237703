package metrics

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// scrape serves the metrics and reads them, by series.
func scrape(t *testing.T, m *Metrics) map[string]string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(m, slog.New(slog.DiscardHandler))
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res.Status, err)
	}
	for path, want := range map[string]int{"/": 404, "/healthz": 404} {
		if res, err := client.Get("http://" + l.Addr().String() + path); err != nil || res.StatusCode != want {
			t.Errorf("%s: %v, %v", path, res, err)
		}
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	series := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			series[name] = value
		}
	}
	return series
}

func TestMetrics(t *testing.T) {
	m := New("v1.2.3")
	now := time.Now()
	m.WatchQueue(func(context.Context) (store.QueueState, error) {
		return store.QueueState{Rows: 7, Oldest: now.Add(-time.Hour), Due: now.Add(time.Hour)}, nil
	})
	m.WatchHeld(func(context.Context) (store.HeldState, error) {
		return store.HeldState{Messages: 5, Oldest: now.Add(-2 * time.Hour)}, nil
	})
	m.WatchIMAP(func() int { return 3 }, func() int { return 2 })
	m.WatchWebhooks(func(context.Context) (store.WebhookState, error) {
		return store.WebhookState{Waiting: 4, Oldest: now.Add(-time.Hour), Dead: 1}, nil
	})
	m.Webhook("delivered")
	smtp := m.Door("smtp")
	smtp("recipient", "accepted", time.Millisecond)
	smtp("recipient", "refused", time.Millisecond)
	smtp("message", "accepted", 30*time.Millisecond)
	for _, event := range []string{"filed", "filed", "duplicate", "held", "automatic", "leak", "undelivered"} {
		m.Event(event)
	}
	m.Delivery("delivered", "google", 3*time.Second)
	m.Delivery("deferred", "", time.Hour)
	m.OutboundTLS("sts", false)
	m.OutboundTLS("tess@secret.example", true)

	got := scrape(t, m)
	for series, want := range map[string]string{
		`stagedoor_smtp_answers_total{door="smtp",stage="recipient",verdict="accepted"}`:     "1",
		`stagedoor_smtp_answers_total{door="smtp",stage="recipient",verdict="refused"}`:      "1",
		`stagedoor_smtp_answers_total{door="smtp",stage="message",verdict="accepted"}`:       "1",
		`stagedoor_smtp_answers_total{door="submission",stage="message",verdict="deferred"}`: "0",
		`stagedoor_smtp_message_seconds_bucket{door="smtp",le="0.05"}`:                       "1",
		`stagedoor_smtp_message_seconds_bucket{door="smtp",le="0.025"}`:                      "0",
		`stagedoor_messages_total{outcome="filed"}`:                                          "2",
		`stagedoor_messages_total{outcome="duplicate"}`:                                      "1",
		`stagedoor_messages_total{outcome="held"}`:                                           "1",
		`stagedoor_messages_total{outcome="automatic"}`:                                      "1",
		`stagedoor_messages_total{outcome="refused"}`:                                        "0",
		`stagedoor_gate_stopped_total`:                                                       "1",
		`stagedoor_outbound_tls_total{policy="sts",result="failed"}`:                         "1",
		`stagedoor_outbound_tls_total{policy="other",result="ok"}`:                           "1",
		`stagedoor_outbound_tls_total{policy="tlsa",result="ok"}`:                            "0",
		`stagedoor_deliveries_total{class="delivered",receiver="google"}`:                    "1",
		`stagedoor_deliveries_total{class="deferred",receiver="other"}`:                      "1",
		`stagedoor_deliveries_total{class="expired",receiver="relay"}`:                       "0",
		`stagedoor_delivery_seconds_bucket{receiver="google",le="5"}`:                        "1",
		`stagedoor_delivery_seconds_bucket{receiver="google",le="1"}`:                        "0",
		`stagedoor_queue_rows`:                                    "7",
		`stagedoor_queue_overdue_seconds`:                         "0",
		`stagedoor_held_messages`:                                 "5",
		`stagedoor_webhook_events`:                                "4",
		`stagedoor_webhook_dead_events`:                           "1",
		`stagedoor_webhook_deliveries_total{outcome="delivered"}`: "1",
		`stagedoor_webhook_deliveries_total{outcome="dead"}`:      "0",
		`stagedoor_imap_connections`:                              "3",
		`stagedoor_imap_sessions`:                                 "2",
		`stagedoor_build_info{version="v1.2.3"}`:                  "1",
	} {
		if got[series] != want {
			t.Errorf("%s is %q, want %s", series, got[series], want)
		}
	}
	if !strings.HasPrefix(got["stagedoor_queue_oldest_seconds"], "36") {
		t.Errorf("the oldest waits for %s seconds, want 3600", got["stagedoor_queue_oldest_seconds"])
	}
	if !strings.HasPrefix(got["stagedoor_held_oldest_seconds"], "72") {
		t.Errorf("the oldest that is held waits for %s seconds, want 7200", got["stagedoor_held_oldest_seconds"])
	}
	if got["go_goroutines"] == "" || got["process_start_time_seconds"] == "" {
		t.Error("the process is not told of")
	}
}

// Whatever a caller says, no word of it becomes a label, and there are no more
// series than the fixed ones and one "other" each.
func TestLabelsHoldNoForeignWord(t *testing.T) {
	m := New("v1")
	const secret = "tess@mail.example"
	for range 100 {
		m.Door(secret)(secret, secret, time.Second)
		m.Door("smtp")("message", secret, time.Second)
		m.Event(secret)
		m.Delivery(secret, secret, 0)
		m.OutboundTLS(secret, true)
	}
	ours := func(series map[string]string) (n int) {
		for name := range series {
			if strings.HasPrefix(name, "stagedoor_") {
				n++
			}
		}
		return n
	}
	before := ours(scrape(t, m))
	m.Door("x")("y", "z", time.Second)
	m.Event("a")
	m.Delivery("b", "c", 0)
	got := scrape(t, m)
	for series := range got {
		if strings.Contains(series, "mail.example") || strings.Contains(series, "@") {
			t.Errorf("a series tells an address: %s", series)
		}
	}
	if n := ours(got); n != before {
		t.Errorf("%d series became %d", before, n)
	}
	if got[`stagedoor_messages_total{outcome="other"}`] != "101" {
		t.Errorf("%s others", got[`stagedoor_messages_total{outcome="other"}`])
	}
}

// A store that does not answer takes nothing else away.
func TestQueueThatCannotBeRead(t *testing.T) {
	m := New("v1")
	m.WatchQueue(func(context.Context) (store.QueueState, error) {
		return store.QueueState{}, errors.New("disk I/O error")
	})
	got := scrape(t, m)
	if _, ok := got["stagedoor_queue_rows"]; ok || got["stagedoor_gate_stopped_total"] != "0" {
		t.Errorf("%q", got)
	}
}
