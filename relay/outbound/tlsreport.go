package outbound

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/relay/outbound/tlspolicy"
	"github.com/stagedoor/stagedoor/relay/outbound/tlsrpt"
	"github.com/stagedoor/stagedoor/threading/store"
)

// reportTo finds out where a report about TLS goes: to an address, or by HTTPS
// to a URL, whose host is the destination then.
func (q *Queue) reportTo(p *parcel) (address string, f *failure) {
	to, err := q.o.Store.Recipient(p.row)
	if err != nil {
		return "", internal("read where a report goes", err)
	}
	if !strings.HasPrefix(to, "https:") {
		return to, nil
	}
	u, err := url.Parse(to)
	if err != nil {
		return "", &failure{text: "5.1.3 the URL is not valid", permanent: true}
	}
	p.post, p.destination = to, "https://"+u.Host
	return "", nil
}

// post delivers a report by HTTPS, and settles its row.
func (q *Queue) post(work context.Context, p parcel) *failure {
	ctx, cancel := context.WithTimeout(work, deliveryTime)
	defer cancel()
	report, err := q.readReport(ctx, p)
	if errors.Is(err, store.ErrNotFound) {
		q.settler.add(verdict{row: p.row})
		return nil
	} else if err != nil {
		f := internal("read the report", err)
		q.settle(p.row, f)
		return f
	}
	began := time.Now()
	err = q.poster.Post(ctx, p.post, report)
	switch {
	case err == nil:
		q.o.Logger.Info("delivered", "row", p.row.ID, "kind", p.row.Kind, "attempts", p.row.Attempts, "took", time.Since(began).Round(time.Millisecond))
		q.o.Observe("delivered", "", q.o.Now().Sub(p.row.CreatedAt))
		q.settler.add(verdict{row: p.row})
		return nil
	case work.Err() != nil:
		return q.stopped(p.row)
	}
	f := &failure{text: err.Error(), host: true}
	if errors.Is(err, tlsrpt.ErrRefused) {
		f.host, f.permanent = false, true
	}
	q.settle(p.row, f)
	return f
}

// maxReport bounds a compressed report: many times what one can be.
const maxReport = 8 << 20

// readReport reads a report into memory: a web server may answer before it has
// read all, and the client goes on reading the body then.
func (q *Queue) readReport(ctx context.Context, p parcel) ([]byte, error) {
	body, err := q.o.Store.OpenBody(ctx, p.row.BodyID, 0, maxReport)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	return io.ReadAll(body)
}

// note counts how a connection went, for the report to the domain.
func (q *Queue) note(n *need, h hop, s *session, addr netip.Addr, fault *tlspolicy.Fault) {
	q.o.ObserveTLS(string(n.Kind), fault == nil)
	if n.unreported {
		return
	}
	x := tlsrpt.Result{Policy: tlsrpt.Policy{Type: string(n.Kind), String: n.Policy, Domain: n.Domain, MXHost: n.MX}}
	if fault != nil {
		x.Failure = &tlsrpt.Failure{Type: fault.Result, ReceivingMX: h.host}
		if addr.IsValid() {
			x.Failure.ReceivingIP = addr.String()
		}
		if s != nil {
			if local, err := netip.ParseAddrPort(s.raw.LocalAddr().String()); err == nil {
				x.Failure.SendingIP = local.Addr().Unmap().String()
			}
		}
	}
	q.results.Count(x)
}
