package outbound

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/stagedoor/stagedoor/relay/automatic"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// parcel is a row that is to be delivered, and where.
type parcel struct {
	row         store.Delivery
	to          string // envelope recipient; secret
	destination string // see routes.destination; secret where it is a domain
	member      threading.Member
	address     threading.ID // of the member's; zero: it goes to nobody's registered address
	post        string       // where a report goes by HTTPS; everything else is mail
	mode        tlsMode
}

// address finds out, at the time of sending, whether a row is still wanted and
// by whom. A parcel without destination is not wanted.
func (q *Queue) address(ctx context.Context, row store.Delivery) (parcel, *failure) {
	p := parcel{row: row, mode: tlsMode(row.TLS)}
	var real string
	switch row.Kind {
	case store.QueueOperator:
		if q.o.Operator == "" {
			q.o.Logger.Warn("mail to the operator is dropped: no operator is configured", "row", row.ID)
			return p, nil
		}
		real = q.o.Operator
	case store.QueueConfirmation:
		r, err := q.o.Store.AddressRequest(ctx, row.ItemID)
		if errors.Is(err, store.ErrNotFound) {
			return p, nil
		} else if err != nil {
			return p, internal("read the address that is to be confirmed", err)
		}
		real = r.Address
	case store.QueueNotification, store.QueueNotice, store.QueueDigest, store.QueueSignIn:
		m, err := q.o.Store.Member(ctx, row.MemberID)
		if errors.Is(err, store.ErrNotFound) {
			return p, nil
		} else if err != nil {
			return p, internal("read the member", err)
		}
		if m.Status != threading.MemberActive {
			return p, nil
		}
		if wanted, err := q.wanted(ctx, row); err != nil {
			return p, internal("read the alerts", err)
		} else if !wanted {
			return p, nil
		}
		addrs, err := q.o.Store.Addresses(ctx, m.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return p, internal("read the member's address", err)
		}
		if len(addrs) == 0 {
			return p, nil
		}
		if row.Kind != store.QueueSignIn && !addrs[0].FailedAt.IsZero() {
			return p, nil // the message is in the mailbox; only who asks for a link is still mailed one
		}
		p.member, p.address, real = m, addrs[0].ID, addrs[0].Real
	case store.QueueTLSReport:
		var f *failure
		if real, f = q.reportTo(&p); f != nil || p.post != "" {
			return p, f
		}
		p.mode = tlsOptional
	default:
		q.o.Logger.Error("a row of a kind that is not known stays in the queue", "row", row.ID, "kind", row.Kind)
		return p, internal("deliver", errors.New("unknown kind of row"))
	}
	local, domain, err := threading.SplitAddress(real)
	if err != nil {
		return p, &failure{text: "5.1.3 the address is not valid", permanent: true}
	}
	p.to, p.destination = quoteLocal(local)+"@"+domain, p.mode.destination(q.routes.destination(domain))
	return p, nil
}

// wanted reports whether the member still wants what a row mails.
func (q *Queue) wanted(ctx context.Context, row store.Delivery) (bool, error) {
	switch row.Kind {
	case store.QueueDigest:
		return q.o.Store.Told(ctx, row.MemberID)
	case store.QueueNotice, store.QueueSignIn:
		return true, nil
	}
	alerts, err := q.o.Store.AlertsFor(ctx, row.MemberID, row.ThreadID, row.ItemID)
	if err != nil || alerts == threading.AlertsNever || !q.o.SkipRead {
		return alerts != threading.AlertsNever, err
	}
	read, err := q.o.Store.Read(ctx, row.MemberID, row.ItemID)
	return !read, err
}

// quoteLocal writes a local part as RFC 5321 section 4.1.2 wants it.
func quoteLocal(local string) string {
	if !strings.ContainsAny(local, " \t()<>[]:;@\\,\"") && !strings.Contains(local, "..") &&
		!strings.HasPrefix(local, ".") && !strings.HasSuffix(local, ".") {
		return local
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"`
}

// internal is a failure on our side: temporary. err comes from the store or
// the disk and names no address.
func internal(doing string, err error) *failure {
	return &failure{text: "4.3.0 " + doing + ": " + err.Error(), config: true}
}

// deliver renders, signs and sends one parcel, and settles its row. nil: it is
// delivered, or not wanted.
func (q *Queue) deliver(work context.Context, p parcel) *failure {
	if p.post != "" {
		return q.post(work, p)
	}
	began := time.Now()
	fields, msg, eightBit, err := q.compose(work, p)
	if errors.Is(err, store.ErrNotFound) { // removed meanwhile
		q.settler.add(verdict{row: p.row})
		return nil
	}
	if err != nil && work.Err() != nil {
		return q.stopped(p.row)
	} else if err != nil {
		f := internal("compose the message", err)
		q.settle(p.row, f)
		return f
	}
	defer func() { _ = msg.Close() }()
	provider, err := q.sendBy(work, p.destination, letter{
		from: threading.BouncePrefix + q.returnToken(p) + "@" + q.o.Domain,
		to:   p.to, size: int64(len(fields)) + msg.Size(), eightBit: eightBit, requireTLS: p.mode == tlsRequired, report: p.row.Kind == store.QueueTLSReport,
		open: func() io.Reader { return io.MultiReader(bytes.NewReader(fields), msg.Open()) },
	})
	if err == nil {
		q.o.Logger.Info("delivered", "row", p.row.ID, "kind", p.row.Kind, "member", p.member.Handle, "attempts", p.row.Attempts,
			"octets", msg.Size(), "took", time.Since(began).Round(time.Millisecond))
		q.o.Observe("delivered", provider, q.o.Now().Sub(p.row.CreatedAt))
		q.settler.add(verdict{row: p.row})
		return nil
	}
	var f *failure
	if !errors.As(err, &f) {
		f = &failure{text: "4.4.0 " + cause(err), host: true}
	}
	if work.Err() != nil && !f.permanent && !f.uncertain {
		return q.stopped(p.row)
	}
	if f.permanent && p.address != 0 && f.class == automatic.Hard {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(work), settleTimeout)
		err := q.o.AddressFailed(ctx, p.address, f.status)
		if cancel(); err != nil {
			q.o.Logger.Error("can't note that an address takes no mail", "row", p.row.ID, "error", err)
		}
	}
	f.provider = provider
	q.settle(p.row, f)
	return f
}

// returnToken tells what comes back to the reverse-path (VERP) which address it
// is about; where that is no member's, which row.
func (q *Queue) returnToken(p parcel) string {
	if p.address != 0 {
		return q.o.Store.Keyring().Token(seal.TokenReturn, p.address)
	}
	return q.o.Store.Keyring().Token(seal.TokenBounce, p.row.ID)
}

// stopped gives a row back that was not delivered because we stop.
func (q *Queue) stopped(row store.Delivery) *failure {
	q.settler.add(verdict{row: row, due: q.o.Now(), untried: true})
	return nil
}

// writers gather the lines of a message.
var writers = sync.Pool{New: func() any { return bufio.NewWriterSize(nil, 16<<10) }}

// compose writes the message into a spool and signs it.
func (q *Queue) compose(ctx context.Context, p parcel) (fields []byte, msg *spool.Message, eightBit bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTime)
	defer cancel()
	select {
	case q.composing <- struct{}{}:
		defer func() { <-q.composing }()
	case <-ctx.Done():
		return nil, nil, false, ctx.Err()
	}
	w := spool.NewWriter(q.o.TempDir)
	defer w.Discard()
	buf := writers.Get().(*bufio.Writer)
	defer func() {
		buf.Reset(nil)
		writers.Put(buf)
	}()
	buf.Reset(w)
	lines := &lineWriter{w: buf}
	if err = q.write(ctx, lines, p); err == nil {
		err = lines.close()
	}
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		return nil, nil, false, err
	}
	if msg, err = w.Message(); err != nil {
		return nil, nil, false, err
	}
	if q.o.Signer != nil {
		if fields, err = q.o.Signer.Sign(msg.Open()); err != nil {
			_ = msg.Close()
			return nil, nil, false, err
		}
	}
	return fields, msg, lines.eightBit, nil
}

// write writes the message that a row stands for.
func (q *Queue) write(ctx context.Context, w io.Writer, p parcel) error {
	if p.row.Kind == store.QueueNotification {
		item, err := q.o.Store.Item(ctx, p.row.MemberID, p.row.ItemID)
		if err != nil {
			return fmt.Errorf("read the item: %w", err)
		}
		return q.o.Renderer.Render(ctx, w, p.member, item)
	}
	if _, err := w.Write(p.row.Header); err != nil {
		return err
	}
	body, err := q.o.Store.OpenBody(ctx, p.row.BodyID, 0, -1)
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	defer func() { _ = body.Close() }()
	if _, err := io.Copy(w, body); err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	return nil
}

// settle decides what becomes of a row whose delivery failed, and says so in
// the log.
func (q *Queue) settle(row store.Delivery, f *failure) {
	now := q.o.Now()
	log := q.o.Logger.With("row", row.ID, "kind", row.Kind, "attempts", row.Attempts, "reason", f.text)
	switch {
	case f.permanent:
		q.o.Observe("refused", f.provider, now.Sub(row.CreatedAt))
		log.Warn("refused for good: the message stays in its mailbox, the notification is dropped")
		q.settler.add(verdict{row: row, note: f.text, tell: f.withheld && row.Kind == store.QueueNotification})
	case q.expired(row, now):
		q.o.Observe("expired", f.provider, now.Sub(row.CreatedAt))
		log.Warn("given up: it could not be delivered in time", "age", now.Sub(row.CreatedAt).Round(time.Minute))
		q.settler.add(verdict{row: row, note: "given up after " + now.Sub(row.CreatedAt).Round(time.Hour).String() + ": " + f.text,
			tell: row.TLS == threading.TLSRequired && row.Kind == store.QueueNotification})
	default:
		q.o.Observe("deferred", f.provider, now.Sub(row.CreatedAt))
		due := now.Add(backoff(row.Attempts - 1))
		q.delayed(row, due, f)
		if f.config {
			log.Error("a delivery needs the operator's attention", "due", due)
		} else {
			log.Info("will be tried again", "due", due)
		}
		q.settler.add(verdict{row: row, due: due, reason: f.text})
	}
}

// delayed tells, once, of a row that will be late: at the last try before it
// has waited for Options.DelayAfter. Its sender is not told: the message is in
// its mailbox.
func (q *Queue) delayed(row store.Delivery, due time.Time, f *failure) {
	late := row.CreatedAt.Add(q.o.DelayAfter)
	if now := q.o.Now(); now.Before(late) && !due.Before(late) {
		q.o.Observe("delayed", f.provider, now.Sub(row.CreatedAt))
		q.o.Logger.Warn("delayed: it is still tried", "row", row.ID, "kind", row.Kind, "attempts", row.Attempts, "reason", f.text, "until", row.CreatedAt.Add(q.o.MaxAge))
	}
}

// expired reports whether a row has been tried for long enough.
func (q *Queue) expired(row store.Delivery, now time.Time) bool {
	return now.Sub(row.CreatedAt) >= q.o.MaxAge && now.UnixNano()-q.sendingSince.Load() >= int64(lastChance)
}

// postpone puts off a row whose destination is known to be down, until it is
// tried again: that was no try of the row's.
func (q *Queue) postpone(row store.Delivery, until time.Time, reason string) {
	down := &failure{text: reason, host: true}
	if q.expired(row, q.o.Now()) {
		q.settle(row, down)
		return
	}
	due := until.Add(rand.N(postponeSpread))
	down.text = "not tried, the destination is down: " + reason
	q.delayed(row, due, down)
	q.settler.add(verdict{row: row, due: due, untried: true, reason: down.text})
}

// postponeSpread is over how long what waits for a destination comes back.
const postponeSpread = 30 * time.Second
