package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stateTime bounds the look at the store.
const stateTime = 5 * time.Second

// gauges is a collector of what the store is asked for when the metrics are read.
// Where it does not answer, they are missing.
type gauges[S any] struct {
	state func(context.Context) (S, error)
	list  []gauge[S]
}

// gauge is one value of a state, at a time.
type gauge[S any] struct {
	desc  *prometheus.Desc
	value func(s S, now time.Time) float64
}

func newGauge[S any](name, help string, value func(s S, now time.Time) float64) gauge[S] {
	return gauge[S]{prometheus.NewDesc(name, help, nil, nil), value}
}

// since is how long ago something was, in seconds; 0: it never was.
func since(t, now time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, now.Sub(t).Seconds())
}

// Describe implements prometheus.Collector.
func (g *gauges[S]) Describe(ch chan<- *prometheus.Desc) {
	for _, x := range g.list {
		ch <- x.desc
	}
}

// Collect implements prometheus.Collector.
func (g *gauges[S]) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), stateTime)
	defer cancel()
	s, err := g.state(ctx)
	if err != nil {
		return
	}
	now := time.Now()
	for _, x := range g.list {
		ch <- prometheus.MustNewConstMetric(x.desc, prometheus.GaugeValue, x.value(s, now))
	}
}
