package outbound

import (
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

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
			tess := s.member("tess", "tess@mail.example")
			text := strings.Repeat("a line of text that is about as long as lines are\r\n", 60)
			for done := 0; done < b.N; done += 100 {
				var to []threading.Member
				for range min(100, b.N-done) {
					to = append(to, tess)
				}
				s.writeAll(to, text)
			}
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
