// Package scan asks other programs about a message before it is filed: rspamd
// whether it is unwanted, ClamAV whether it carries what does harm.
//
// They see the message as its reader will: rebuilt, with reply aliases instead
// of real addresses, and nothing of where it came from. It is streamed to them;
// nothing is kept. Each answer is waited for at most Options.Timeout, and read
// as far as an answer can be long. Whatever else comes back, no answer or one
// that can't be read, is an error: what that means is the caller's choice.
package scan

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Verdict is what the programs say, the worst of it.
type Verdict int

// The verdicts, from good to bad.
const (
	Clean   Verdict = iota
	Suspect         // rspamd would mark it
	Spam            // rspamd would reject it
	Virus           // ClamAV found something
)

// Result is a verdict, and what it is about: the name of what ClamAV found.
type Result struct {
	Verdict Verdict
	Found   string
}

// Options say whom to ask.
type Options struct {
	Rspamd  string // URL of its normal worker, such as http://127.0.0.1:11333; empty: nobody
	ClamAV  string // host:port, or unix:PATH, of clamd; empty: nobody
	Timeout time.Duration
}

// Scanner asks. It is safe for concurrent use.
type Scanner struct {
	o    Options
	http *http.Client
}

// New returns a Scanner, or nil if there is nobody to ask.
func New(o Options) *Scanner {
	if o.Rspamd == "" && o.ClamAV == "" {
		return nil
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	return &Scanner{o: o, http: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("rspamd answers with a redirect") },
	}}
}

// Check asks both, one after the other, about the message that open reads from
// its beginning. An error says who did not answer; the verdict is then that of
// the other.
func (s *Scanner) Check(ctx context.Context, open func() io.Reader) (Result, error) {
	var worst Result
	var errs []error
	for _, ask := range []struct {
		name string
		at   string
		do   func(context.Context, io.Reader) (Result, error)
	}{{"ClamAV", s.o.ClamAV, s.clamav}, {"rspamd", s.o.Rspamd, s.rspamd}} {
		if ask.at == "" || worst.Verdict == Virus {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, s.o.Timeout)
		r, err := ask.do(ctx, open())
		cancel()
		if err != nil {
			errs = append(errs, fmt.Errorf("ask %s: %w", ask.name, err))
		}
		if r.Verdict > worst.Verdict {
			worst = r
		}
	}
	return worst, errors.Join(errs...)
}
