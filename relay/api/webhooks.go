package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/stagedoor/stagedoor/relay/webhook"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// webhookView is a webhook as the API shows one. The secret is there when it is
// made, and never again.
type webhookView struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	Events    []string  `json:"events"`
	Secret    string    `json:"secret,omitempty"`
	CreatedAt time.Time `json:"created_at"`
}

func (s *Server) webhookView(w threading.Webhook) webhookView {
	return webhookView{ID: s.o.Store.Keyring().Token(seal.TokenWebhook, w.ID), URL: w.URL, Events: w.Events.Names(), CreatedAt: w.CreatedAt.UTC()}
}

func (s *Server) listWebhooks(c *call) (any, error) {
	list, err := s.o.Store.Webhooks(c)
	p := page[webhookView]{Items: []webhookView{}}
	for _, w := range list {
		p.Items = append(p.Items, s.webhookView(w))
	}
	return p, err
}

func (s *Server) addWebhook(c *call) (any, error) {
	var b struct {
		URL    string   `json:"url"`
		Events []string `json:"events"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	var l checks
	l.value("/url", b.URL, func(url string) error { return webhook.CheckURL(url, s.o.Webhooks) })
	w := threading.Webhook{URL: b.URL, Secret: webhook.NewSecret()}
	for _, name := range b.Events {
		e, ok := threading.ParseEvent(name)
		if !ok {
			l = append(l, fieldError{"/events", "There is no event of the name " + strconv.Quote(shown(name)) + "."})
		}
		w.Events |= e
	}
	if len(b.Events) == 0 {
		l = append(l, fieldError{"/events", "Name the events that it is told."})
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	w, err := s.o.Store.AddWebhook(c, w)
	if errors.Is(err, store.ErrLimit) {
		return nil, problemf(errConflict, "There are %d webhooks already: remove one first.", store.MaxWebhooks)
	} else if err != nil {
		return nil, err
	}
	v := s.webhookView(w)
	v.Secret = webhook.ShowSecret(w.Secret)
	s.created(c, path("webhooks", v.ID))
	return v, nil
}

// webhook finds a webhook by the ID in the path.
func (s *Server) webhook(c *call) (threading.Webhook, error) {
	id, err := s.id(c, "webhook", seal.TokenWebhook)
	if err != nil {
		return threading.Webhook{}, err
	}
	w, err := s.o.Store.Webhook(c, id)
	if errors.Is(err, store.ErrNotFound) {
		err = problemf(errNotFound, "There is no such webhook.")
	}
	return w, err
}

func (s *Server) getWebhook(c *call) (any, error) {
	w, err := s.webhook(c)
	return s.webhookView(w), err
}

func (s *Server) removeWebhook(c *call) (any, error) {
	w, err := s.webhook(c)
	if err == nil {
		err = s.o.Store.RemoveWebhook(c, w.ID)
	}
	return nil, err
}

// eventView is an event that a webhook was not told yet.
type eventView struct {
	ID        string     `json:"id"`
	Type      string     `json:"type"`
	CreatedAt time.Time  `json:"created_at"`
	Attempts  int        `json:"attempts"`
	DueAt     *time.Time `json:"due_at"` // null: it waits for an earlier one, or is dead
	DeadAt    *time.Time `json:"dead_at"`
	LastError string     `json:"last_error"`
}

func (s *Server) eventView(e threading.WebhookEvent) eventView {
	v := eventView{
		ID: s.o.Store.Keyring().Token(seal.TokenEvent, e.ID), CreatedAt: e.CreatedAt.UTC(), Attempts: e.Attempts,
		DueAt: orNull(e.DueAt), DeadAt: orNull(e.DeadAt), LastError: e.LastError,
	}
	for _, name := range e.Kind.Names() {
		v.Type = name
	}
	return v
}

func (s *Server) listEvents(c *call) (any, error) {
	l, err := s.listing(c, "state")
	if err != nil {
		return nil, err
	}
	state := l.query.Get("state")
	if state != "" && state != "waiting" && state != "dead" {
		return nil, problemf(errBadRequest, "state must be waiting or dead.")
	}
	w, err := s.webhook(c)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Store.WebhookEvents(c, w.ID, state == "dead", l.atID(), l.limit+1)
	if err != nil {
		return nil, err
	}
	return paged(s, c, l, list, func(e threading.WebhookEvent) string { return strconv.FormatInt(int64(e.ID), 10) }, s.eventView), nil
}

// retryEvent sends an event that was given up once more.
func (s *Server) retryEvent(c *call) (any, error) {
	w, err := s.webhook(c)
	if err != nil {
		return nil, err
	}
	id, err := s.id(c, "event", seal.TokenEvent)
	if err != nil {
		return nil, err
	}
	n, err := s.o.Store.ReviveWebhookEvents(c, w.ID, id)
	if err == nil && n == 0 {
		err = problemf(errNotFound, "The webhook has no such event that was given up.")
	}
	return nil, err
}
