// Package webhook tells the platform of events, by POST to URLs of its own.
//
// An event is written in the transaction that makes it (threading/store), so that
// no crash can part them. It is sent until a 2xx answers or it is older than
// MaxAge, with growing pauses; then it is given up, kept for a month, and its
// thread goes on. Events of one thread are sent one after another, in the order
// of filing; threads don't wait for each other. An event may come twice (its
// webhook-id is the same): whoever receives it keeps account of those.
//
// A payload names members by their handles; it holds no real address and nothing
// that members wrote. It is signed as Standard Webhooks say: HMAC-SHA256 over its
// ID, the time and the body.
//
// Where it goes is looked at when the connection is made, so that a name that
// leads elsewhere by then gains nothing: to public addresses by HTTPS, and
// otherwise only to Options.Allow. Redirects are not followed, answers not read
// beyond their status.
//
// Run owns one goroutine for each webhook and up to parallel more for requests
// under way; all end with its context. Nothing is kept on disk but in the store.
package webhook

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// MaxAge is how long an event is tried.
const MaxAge = 3 * 24 * time.Hour

const (
	parallel = 8 // requests under way to one webhook
	// requestTime bounds one request from the look-up of the name to the end of
	// the answer's header.
	requestTime = 10 * time.Second
	leaseTime   = 25 * time.Second // more than a request and its settling take
	lookEvery   = 10 * time.Second // what a missed wake costs
	maxAnswer   = 16 << 10         // octets of the answer's header; of its body as many are thrown away
)

// pauses are the times between tries; the last one is used again.
var pauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}

// Options configure a Sender.
type Options struct {
	Store    *store.Store
	Allow    []netip.Prefix                  // private networks that webhooks may be in
	Resolver *net.Resolver                   // nil: the system's
	RootCAs  *x509.CertPool                  // nil: the system's
	Pause    func(attempt int) time.Duration // nil: as the package says
	Observe  func(outcome string)            // delivered, failed or dead; nil: nobody
	Now      func() time.Time                // nil: time.Now
	Logger   *slog.Logger                    // nil: none
}

// Sender sends events to webhooks.
type Sender struct {
	o             Options
	secure, plain *http.Client // for https and http
}

// New returns a Sender.
func New(o Options) *Sender {
	if o.Pause == nil {
		o.Pause = func(attempt int) time.Duration { return pauses[min(max(attempt, 1), len(pauses))-1] }
	}
	if o.Observe == nil {
		o.Observe = func(string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sender{o: o, secure: o.client(true), plain: o.client(false)}
}

// Run sends events until ctx ends; requests under way are then finished.
func (s *Sender) Run(ctx context.Context) {
	running := map[threading.ID]*worker{}
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		hooks, err := s.o.Store.Webhooks(ctx)
		if err != nil && ctx.Err() == nil {
			s.o.Logger.Error("can't read the webhooks", "error", err)
		}
		there := map[threading.ID]bool{}
		for _, h := range hooks {
			there[h.ID] = true
			if w := running[h.ID]; w != nil {
				w.nudge()
				continue
			}
			own, stop := context.WithCancel(ctx)
			w := &worker{Sender: s, hook: h, stop: stop, wake: make(chan struct{}, 1)}
			running[h.ID] = w
			wg.Go(func() { w.run(own) })
		}
		for id, w := range running {
			if err == nil && !there[id] {
				w.stop()
				delete(running, id)
			}
		}
		select {
		case <-ctx.Done():
			for _, w := range running {
				w.stop()
			}
			return
		case <-s.o.Store.WebhookWake():
		case <-time.After(lookEvery):
		}
	}
}

// worker sends to one webhook.
type worker struct {
	*Sender
	hook threading.Webhook
	stop context.CancelFunc
	wake chan struct{}
}

func (w *worker) nudge() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		events, err := w.o.Store.LeaseWebhookEvents(ctx, w.hook.ID, parallel, leaseTime)
		if err != nil {
			if ctx.Err() == nil {
				w.o.Logger.Error("can't read a webhook's events", "error", err)
			}
			w.rest(ctx, lookEvery)
			continue
		}
		if len(events) == 0 {
			next, err := w.o.Store.NextWebhookEvent(ctx, w.hook.ID)
			wait := lookEvery
			if err == nil && !next.IsZero() {
				wait = min(wait, max(next.Sub(w.o.Now()), 10*time.Millisecond))
			}
			w.rest(ctx, wait)
			continue
		}
		var wg sync.WaitGroup
		for _, e := range events {
			wg.Go(func() { w.deliver(ctx, e) })
		}
		wg.Wait()
	}
}

// rest waits until there may be something to do.
func (w *worker) rest(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-time.After(d):
	}
}

// deliver sends one event and settles it. A request under way is finished when
// the Sender stops, and what came of it is noted.
func (w *worker) deliver(ctx context.Context, e threading.WebhookEvent) {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*requestTime)
	defer cancel()
	token := w.token(e.ID)
	err := w.send(work, e)
	var failed *failure
	switch {
	case err == nil:
		w.o.Observe("delivered")
		err = w.o.Store.WebhookEventDone(work, e)
	case !errors.As(err, &failed):
		w.o.Logger.Error("an event can't be written", "event", token, "error", err)
		err = w.o.Store.RetryWebhookEvent(work, e, w.o.Now().Add(w.o.Pause(e.Attempts)), "it could not be written")
	case w.o.Now().Sub(e.CreatedAt) > MaxAge:
		w.o.Observe("dead")
		w.o.Logger.Warn("an event for the platform is given up", "event", token, "webhook", w.hookToken(), "attempts", e.Attempts, "why", failed.text)
		err = w.o.Store.WebhookEventDead(work, e, failed.text)
	default:
		w.o.Observe("failed")
		w.o.Logger.Info("an event for the platform is tried again", "event", token, "webhook", w.hookToken(), "attempts", e.Attempts, "why", failed.text)
		err = w.o.Store.RetryWebhookEvent(work, e, w.o.Now().Add(w.o.Pause(e.Attempts)), failed.text)
	}
	if err != nil {
		w.o.Logger.Error("what became of an event could not be written down; it is sent again", "event", token, "error", err)
	}
}

// failure is why an event was not taken, in words of our own.
type failure struct{ text string }

func (f *failure) Error() string { return f.text }

// send posts one event.
func (w *worker) send(ctx context.Context, e threading.WebhookEvent) error {
	body, err := w.payload(ctx, e)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.hook.URL, bytes.NewReader(body))
	if err != nil {
		return &failure{"its URL is not valid"}
	}
	id, at := "msg_"+w.token(e.ID), strconv.FormatInt(w.o.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Stagedoor-Webhook/1")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", at)
	req.Header.Set("webhook-signature", sign(w.hook.Secret, id, at, body))
	client := w.plain
	if req.URL.Scheme == "https" {
		client = w.secure
	}
	res, err := client.Do(req)
	if err != nil {
		return &failure{cause(err)}
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer) // so that the connection can be used again
	switch {
	case res.StatusCode/100 == 2:
		return nil
	case res.StatusCode/100 == 3:
		return &failure{fmt.Sprintf("answered %d: redirects are not followed", res.StatusCode)}
	}
	return &failure{fmt.Sprintf("answered %d", res.StatusCode)}
}
