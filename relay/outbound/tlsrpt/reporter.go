package tlsrpt

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// When reports are made: some time after the day has ended, so that all nodes
// have written their counts, and not everybody's at the same time (RFC 8460
// section 4.1).
const (
	lookEvery  = 10 * time.Minute
	firstAfter = 15 * time.Minute
	spread     = 4 * time.Hour
	lookupTime = 15 * time.Second
	maxAtOnce  = 500 // domains that one look asks
	// askAgain is when a domain whose DNS did not answer is asked again: many such
	// ones would hold up the others.
	askAgain = time.Hour
)

// ReporterOptions configure a Reporter.
type ReporterOptions struct {
	Store     *store.Store
	Domain    string // that reports come from
	Contact   string // in them; empty: postmaster at Domain
	LookupTXT func(ctx context.Context, name string) ([]string, error)
	Logger    *slog.Logger     // nil: nothing is logged
	Now       func() time.Time // nil: time.Now
}

// Reporter makes the daily reports. One goroutine uses it.
type Reporter struct {
	o      ReporterOptions
	silent map[string]time.Time // domains whose DNS did not answer, by TLSDay.Key: until when they are not asked
}

// NewReporter returns a Reporter.
func NewReporter(o ReporterOptions) *Reporter {
	if o.Contact == "" {
		o.Contact = "postmaster@" + o.Domain
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Reporter{o: o, silent: map[string]time.Time{}}
}

// Run makes the reports that are due until the context ends. Several processes
// may do so on one store.
func (r *Reporter) Run(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := r.Report(ctx); err != nil && ctx.Err() == nil {
			r.o.Logger.Error("TLS reports could not be made; they are tried again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// after is how long after midnight (UTC) reports are made: always the same for
// one domain, so that all nodes agree.
func (r *Reporter) after() time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.o.Domain))
	return firstAfter + time.Duration(h.Sum32()%uint32(spread/time.Second))*time.Second
}

// Report makes and queues the reports that are due.
func (r *Reporter) Report(ctx context.Context) error {
	now := r.o.Now()
	maps.DeleteFunc(r.silent, func(_ string, until time.Time) bool { return !now.Before(until) })
	made, asked := 0, 0
	var last store.TLSDay
	for asked < maxAtOnce {
		days, err := r.o.Store.TLSDays(ctx, now.Add(-r.after()), last, maxAtOnce)
		if err != nil {
			return err
		}
		if len(days) == 0 {
			break
		}
		for _, d := range days {
			if _, silent := r.silent[d.Key()]; silent {
				continue
			}
			asked++
			n, err := r.report(ctx, d)
			if err != nil {
				return err
			}
			made += n
		}
		last = days[len(days)-1]
	}
	if made > 0 {
		r.o.Logger.Info("queued reports about TLS", "reports", made)
	}
	return nil
}

// report makes one domain's report of one day, and says to how many places it
// goes.
func (r *Reporter) report(ctx context.Context, d store.TLSDay) (int, error) {
	results, err := r.o.Store.TLSResults(ctx, d, maxDetails)
	if err != nil || len(results) == 0 {
		return 0, err
	}
	about := results[0].Domain
	places, err := r.places(ctx, about)
	if err != nil {
		r.silent[d.Key()] = r.o.Now().Add(askAgain)
		return 0, nil // it is asked again, until the day is too old
	}
	// The ID is the same whoever makes the report.
	id := hex.EncodeToString(r.o.Store.Keyring().Hash("tls-report", about, strconv.FormatInt(d.Day.Unix(), 10)))
	rep, err := newReport(r.o.Domain, r.o.Contact, id, d.Day, results)
	if err != nil {
		return 0, err
	}
	compressed, err := rep.compressed()
	if err != nil {
		return 0, err
	}
	reports := make([]store.TLSReport, 0, len(places))
	for _, place := range places {
		x := store.TLSReport{Recipient: place}
		content := compressed
		if !strings.HasPrefix(place, "https:") {
			x.Header, content = rep.mail(about, r.o.Domain, place, compressed, r.o.Now())
		}
		if x.Body, err = r.body(ctx, content); err != nil {
			return 0, fmt.Errorf("store a report: %w", err)
		}
		reports = append(reports, x)
	}
	err = r.o.Store.FileTLSReport(ctx, d, reports)
	if errors.Is(err, store.ErrExists) {
		return 0, nil // another node was faster
	}
	return len(reports), err
}

func (r *Reporter) body(ctx context.Context, content []byte) (threading.Body, error) {
	w := r.o.Store.NewBody(ctx)
	defer w.Discard()
	if _, err := w.Write(content); err != nil {
		return threading.Body{}, err
	}
	return w.Finish()
}

// places are where a domain wants its report.
func (r *Reporter) places(ctx context.Context, domain string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	records, err := r.o.LookupTXT(ctx, "_smtp._tls."+domain+".")
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return nil, nil
	}
	var places []string
	for _, p := range ParseRecord(records) {
		// Our own mail comes from us, not by mail.
		if _, at, _ := strings.Cut(p, "@"); !strings.EqualFold(at, r.o.Domain) {
			places = append(places, p)
		}
	}
	return places, err
}
