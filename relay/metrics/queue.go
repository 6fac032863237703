package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stagedoor/stagedoor/threading/store"
)

// queueTime bounds the look at the queue.
const queueTime = 5 * time.Second

var (
	queueRows    = prometheus.NewDesc("stagedoor_queue_rows", "Messages that wait for delivery.", nil, nil)
	queueOldest  = prometheus.NewDesc("stagedoor_queue_oldest_seconds", "How long the oldest of them has waited; 0: none waits.", nil, nil)
	queueOverdue = prometheus.NewDesc("stagedoor_queue_overdue_seconds", "How long the next has been due; more than a quarter of an hour: nobody delivers.", nil, nil)
)

// queue is a collector: it asks the store when the metrics are read. Where the
// store does not answer, its metrics are missing.
type queue struct {
	state func(context.Context) (store.QueueState, error)
	now   func() time.Time
}

// Describe implements prometheus.Collector.
func (q *queue) Describe(ch chan<- *prometheus.Desc) {
	ch <- queueRows
	ch <- queueOldest
	ch <- queueOverdue
}

// Collect implements prometheus.Collector.
func (q *queue) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), queueTime)
	defer cancel()
	s, err := q.state(ctx)
	if err != nil {
		return
	}
	since := func(t time.Time) float64 {
		if t.IsZero() {
			return 0
		}
		return max(0, q.now().Sub(t).Seconds())
	}
	for desc, value := range map[*prometheus.Desc]float64{
		queueRows: float64(s.Rows), queueOldest: since(s.Oldest), queueOverdue: since(s.Due),
	} {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}
