package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoor/stagedoor/threading/store"
)

var (
	hooksWaiting = prometheus.NewDesc("stagedoor_webhook_events", "Events that the platform is still to be told.", nil, nil)
	hooksOldest  = prometheus.NewDesc("stagedoor_webhook_oldest_seconds", "How long the oldest of them has waited; 0: none waits.", nil, nil)
	hooksDead    = prometheus.NewDesc("stagedoor_webhook_dead_events", "Events that were given up within the last month.", nil, nil)
)

// hooks is a collector, as queue is.
type hooks struct {
	state func(context.Context) (store.WebhookState, error)
	now   func() time.Time
}

// Describe implements prometheus.Collector.
func (h *hooks) Describe(ch chan<- *prometheus.Desc) {
	ch <- hooksWaiting
	ch <- hooksOldest
	ch <- hooksDead
}

// Collect implements prometheus.Collector.
func (h *hooks) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), queueTime)
	defer cancel()
	s, err := h.state(ctx)
	if err != nil {
		return
	}
	oldest := 0.0
	if !s.Oldest.IsZero() {
		oldest = max(0, h.now().Sub(s.Oldest).Seconds())
	}
	for desc, value := range map[*prometheus.Desc]float64{hooksWaiting: float64(s.Waiting), hooksOldest: oldest, hooksDead: float64(s.Dead)} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}
