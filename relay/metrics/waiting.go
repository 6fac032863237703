package metrics

import (
	"context"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// WatchQueue has the queue looked at when the metrics are read. It is called
// once.
func (m *Metrics) WatchQueue(state func(context.Context) (store.QueueState, error)) {
	type s = store.QueueState
	m.registry.MustRegister(&gauges[s]{state, []gauge[s]{
		newGauge("stagedoor_queue_rows", "Messages that wait for delivery.", func(q s, _ time.Time) float64 { return float64(q.Rows) }),
		newGauge("stagedoor_queue_oldest_seconds", "How long the oldest of them has waited; 0: none waits.", func(q s, now time.Time) float64 { return since(q.Oldest, now) }),
		newGauge("stagedoor_queue_overdue_seconds", "How long the next has been due; more than a quarter of an hour: nobody delivers.", func(q s, now time.Time) float64 { return since(q.Due, now) }),
	}})
}

// WatchWebhooks has the events that wait looked at when the metrics are read. It
// is called once.
func (m *Metrics) WatchWebhooks(state func(context.Context) (store.WebhookState, error)) {
	type s = store.WebhookState
	m.registry.MustRegister(&gauges[s]{state, []gauge[s]{
		newGauge("stagedoor_webhook_events", "Events that the platform is still to be told.", func(w s, _ time.Time) float64 { return float64(w.Waiting) }),
		newGauge("stagedoor_webhook_oldest_seconds", "How long the oldest of them has waited; 0: none waits.", func(w s, now time.Time) float64 { return since(w.Oldest, now) }),
		newGauge("stagedoor_webhook_dead_events", "Events that were given up within the last month.", func(w s, _ time.Time) float64 { return float64(w.Dead) }),
	}})
}

// WatchHeld has what is held for the operator looked at when the metrics are read.
// It is called once.
func (m *Metrics) WatchHeld(state func(context.Context) (store.HeldState, error)) {
	type s = store.HeldState
	m.registry.MustRegister(&gauges[s]{state, []gauge[s]{
		newGauge("stagedoor_held_messages", "Messages that are held for the operator.", func(h s, _ time.Time) float64 { return float64(h.Messages) }),
		newGauge("stagedoor_held_oldest_seconds", "How long the oldest of them has waited; 0: none waits.", func(h s, now time.Time) float64 { return since(h.Oldest, now) }),
	}})
}
