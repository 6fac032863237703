// Package metrics counts what the daemon does and tells Prometheus.
//
// The parts of the daemon know nothing of it: they call functions of their own
// Options, which are this package's methods. No label holds a word from
// outside: each has a fixed set of values, and what is not among them is
// counted as "other". So no address, domain, handle or subject can get into a
// metric, and there is a bounded number of series.
//
// The metrics are served by listeners of their own (metrics.listen): what a
// web server in front passes on to the members' pages never reaches them.
//
// Nothing is kept on disk; counters begin at zero with the process. Methods may
// be called from any goroutine.
package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// The values that labels have.
var (
	doors        = []string{"smtp", "lmtp", "submission"}
	stages       = []string{"recipient", "message"}
	verdicts     = []string{"accepted", "refused", "deferred"}
	hookOutcomes = []string{"delivered", "failed", "dead"}
	outcomes     = []string{"filed", "duplicate", "held", "automatic", "bounce", "refused", "denied"}
	classes      = []string{"delivered", "deferred", "refused", "expired", "delayed"}
	receivers    = []string{"google", "microsoft", "yahoo", "apple", "relay"}
	policies     = []string{"tlsa", "sts", "no-policy-found"}
)

const other = "other"

// among returns the value if it is one of those, and "other" if not.
func among(value string, values []string) string {
	if slices.Contains(values, value) {
		return value
	}
	return other
}

// Metrics are the daemon's metrics.
type Metrics struct {
	registry   *prometheus.Registry
	answers    *prometheus.CounterVec
	took       *prometheus.HistogramVec
	messages   *prometheus.CounterVec
	gate       prometheus.Counter
	deliveries *prometheus.CounterVec
	waited     *prometheus.HistogramVec
	webhooks   *prometheus.CounterVec
	tls        *prometheus.CounterVec
}

// New returns metrics that are all zero. version is the program's.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_smtp_answers_total", Help: "Answers to RCPT and to messages, by door, stage and verdict.",
		}, []string{"door", "stage", "verdict"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stagedoor_smtp_message_seconds", Help: "Time from DATA to its answer, the sending of the message included, by door.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 120},
		}, []string{"door"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_messages_total", Help: "What became of messages that were taken.",
		}, []string{"outcome"}),
		gate: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "stagedoor_gate_stopped_total", Help: "Messages that were refused because an identifier of their writer was left after the rebuild: a fault to look into.",
		}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_deliveries_total", Help: "Tries to deliver mail to members' real addresses, by class and by whose server it was (relay: a host of outbound.smarthost or outbound.routes); delayed counts messages, once each, that were not delivered within four hours.",
		}, []string{"class", "receiver"}),
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stagedoor_delivery_seconds", Help: "Time from filing a message to the delivery of its notification, by whose server it was.",
			Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600},
		}, []string{"receiver"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_webhook_deliveries_total", Help: "Tries to tell the platform of events; dead counts events that were given up.",
		}, []string{"outcome"}),
		tls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stagedoor_outbound_tls_total", Help: "Connections to receiving servers, by the policy that held (tlsa is DANE, sts is MTA-STS) and whether TLS was as it wants.",
		}, []string{"policy", "result"}),
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "stagedoor_build_info", Help: "1; the label tells the version."}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	m.registry.MustRegister(m.answers, m.took, m.messages, m.gate, m.deliveries, m.waited, m.tls, m.webhooks, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.zero()
	return m
}

// zero makes all series, so that a rate sees the first event of each.
func (m *Metrics) zero() {
	for _, door := range doors {
		m.took.WithLabelValues(door)
		for _, stage := range stages {
			for _, verdict := range verdicts {
				m.answers.WithLabelValues(door, stage, verdict)
			}
		}
	}
	for _, outcome := range hookOutcomes {
		m.webhooks.WithLabelValues(outcome)
	}
	for _, outcome := range outcomes {
		m.messages.WithLabelValues(outcome)
	}
	for _, receiver := range append(receivers, other) {
		m.waited.WithLabelValues(receiver)
		for _, class := range classes {
			m.deliveries.WithLabelValues(class, receiver)
		}
	}
	for _, policy := range policies {
		m.tls.WithLabelValues(policy, "ok")
		m.tls.WithLabelValues(policy, "failed")
	}
}

// Door returns what counts the answers of a door.
func (m *Metrics) Door(door string) func(stage, verdict string, took time.Duration) {
	door = among(door, doors)
	return func(stage, verdict string, took time.Duration) {
		stage = among(stage, stages)
		m.answers.WithLabelValues(door, stage, among(verdict, verdicts)).Inc()
		if stage == "message" {
			m.took.WithLabelValues(door).Observe(took.Seconds())
		}
	}
}

// Event counts what the store was given.
func (m *Metrics) Event(event string) {
	switch event {
	case "leak":
		m.gate.Inc()
	case "undelivered": // counted by Delivery
	default:
		m.messages.WithLabelValues(among(event, outcomes)).Inc()
	}
}

// Delivery counts a try to deliver, at whose server, so long after the message
// was filed.
func (m *Metrics) Delivery(class, receiver string, waited time.Duration) {
	receiver = among(receiver, receivers)
	m.deliveries.WithLabelValues(among(class, classes), receiver).Inc()
	if class == "delivered" {
		m.waited.WithLabelValues(receiver).Observe(waited.Seconds())
	}
}

// OutboundTLS counts a connection to a receiving server: which policy held, and
// whether TLS was as it wants.
func (m *Metrics) OutboundTLS(policy string, ok bool) {
	m.tls.WithLabelValues(among(policy, policies), map[bool]string{true: "ok", false: "failed"}[ok]).Inc()
}

// Webhook counts a try to tell the platform of an event.
func (m *Metrics) Webhook(outcome string) {
	m.webhooks.WithLabelValues(among(outcome, hookOutcomes)).Inc()
}

// WatchIMAP has connections and sessions that are signed in counted when the
// metrics are read. It is called once.
func (m *Metrics) WatchIMAP(connections, signedIn func() int) {
	gauge := func(name, help string, count func() int) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(count()) }))
	}
	gauge("stagedoor_imap_connections", "Open IMAP connections.", connections)
	gauge("stagedoor_imap_sessions", "IMAP sessions that are signed in.", signedIn)
}

// WatchCertificates has the certificates in use looked at when the metrics are
// read. It is called once.
func (m *Metrics) WatchCertificates(expiry func() time.Time) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stagedoor_certificate_expiry_timestamp_seconds", Help: "When the first of the TLS certificates in use ends, in seconds since 1970.",
	}, func() float64 { return float64(expiry().Unix()) }))
}

// WatchPause has outbound.pause looked at when the metrics are read. It is
// called once.
func (m *Metrics) WatchPause(paused func() bool) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stagedoor_queue_paused", Help: "1: nothing is sent, because outbound.pause is set.",
	}, func() float64 {
		if paused() {
			return 1
		}
		return 0
	}))
}
