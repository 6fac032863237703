package outbound

import (
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

// benchText is a message of about 3,000 octets.
var benchText = strings.Repeat("a line of text that is about as long as lines are\r\n", 60)

// fill queues n notifications.
func fill(b *testing.B, s *site, n int) {
	b.Helper()
	tess := s.member("tess", "tess@mail.example")
	for done := 0; done < n; done += 100 {
		var to []threading.Member
		for range min(100, n-done) {
			to = append(to, tess)
		}
		s.writeAll(to, benchText)
	}
}

// BenchmarkDeliver measures deliveries a second to a sink on this machine:
// leased, rendered, signed, sent and settled.
func BenchmarkDeliver(b *testing.B) {
	for _, c := range []struct {
		name      string
		signed    bool
		composing int // 0: the default
	}{{"signed", true, 0}, {"signed-on-all-processors", true, runtime.GOMAXPROCS(0)}, {"unsigned", false, 0}} {
		b.Run(c.name, func(b *testing.B) {
			s := newSite(b)
			sink := newSink(b, nil)
			fill(b, s, b.N)
			o := Options{Smarthost: Route{URL: "smtp://" + sink.addr()}, Composing: c.composing, Logger: slog.New(slog.DiscardHandler)}
			if c.signed {
				o.Signer = newRing(b).Signer()
			}
			b.ResetTimer()
			s.run(s.queue(o))
			sink.messages(b, b.N)
			s.rows("empty", empty)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
		})
	}
}

// BenchmarkSmtpSink is the same to the server that STAGEDOOR_SINK names, as
// .ci/bench-delivery runs it; taken-in/s counts the time of the filing too.
func BenchmarkSmtpSink(b *testing.B) {
	addr := os.Getenv("STAGEDOOR_SINK")
	if addr == "" {
		b.Skip("STAGEDOOR_SINK is not set")
	}
	s := newSite(b)
	q := s.queue(Options{Smarthost: Route{URL: "smtp://" + addr}, Signer: newRing(b).Signer(), Logger: slog.New(slog.DiscardHandler)})
	began := time.Now()
	fill(b, s, b.N)
	b.ResetTimer()
	s.run(q)
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		state, err := s.QueueState(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if state.Rows == 0 {
			break
		}
		if time.Now().After(deadline) {
			b.Fatalf("%d are left", state.Rows)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "deliveries/s")
	b.ReportMetric(float64(b.N)/time.Since(began).Seconds(), "taken-in/s")
}
