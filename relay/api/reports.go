package api

import (
	"errors"
	"strconv"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// reportView is a report as the API shows one.
type reportView struct {
	ID         string        `json:"id"`
	Reporter   *string       `json:"reporter"` // null: a former member, or nobody
	Other      *string       `json:"other"`    // who wrote it
	Thread     string        `json:"thread"`
	Via        string        `json:"via"`
	Reason     string        `json:"reason"`
	Status     string        `json:"status"`
	Resolution string        `json:"resolution"`
	CreatedAt  time.Time     `json:"created_at"`
	ResolvedAt *time.Time    `json:"resolved_at"`
	Messages   []messageView `json:"messages,omitempty"`
}

// messageView is a message of a reported thread.
type messageView struct {
	Reported bool      `json:"reported"`
	From     *string   `json:"from"`
	Subject  string    `json:"subject"`
	FiledAt  time.Time `json:"filed_at"`
	Text     string    `json:"text"`
}

func (s *Server) reportView(c *call, r threading.Report, h *handles) (reportView, error) {
	keys := s.o.Store.Keyring()
	v := reportView{
		ID: keys.Token(seal.TokenItem, r.ID), Thread: keys.Token(seal.TokenThread, r.ThreadID), Via: string(r.Via), Reason: r.Reason,
		Status: string(r.Status), Resolution: r.Resolution, CreatedAt: r.CreatedAt.UTC(), ResolvedAt: orNull(r.ResolvedAt),
	}
	var err error
	if v.Reporter, err = h.of(c, r.By()); err == nil {
		v.Other, err = h.of(c, r.OtherID)
	}
	return v, err
}

func (s *Server) listReports(c *call) (any, error) {
	l, err := s.listing(c, "status")
	if err != nil {
		return nil, err
	}
	status := threading.ReportStatus(l.query.Get("status"))
	switch status {
	case "", threading.ReportOpen, threading.ReportResolved, threading.ReportWithdrawn:
	default:
		return nil, problemf(errBadRequest, "status must be open, resolved or withdrawn.")
	}
	list, err := s.o.Store.ReportsBefore(c, status, l.atID(), l.limit+1)
	if err != nil {
		return nil, err
	}
	h, failed := s.handles(), error(nil)
	p := paged(s, c, l, list, func(r threading.Report) string { return strconv.FormatInt(int64(r.ID), 10) }, func(r threading.Report) reportView {
		v, err := s.reportView(c, r, h)
		failed = errors.Join(failed, err)
		return v
	})
	return p, failed
}

// report finds a report by the ID in the path.
func (s *Server) report(c *call) (threading.Report, error) {
	id, err := s.id(c, "report", seal.TokenItem)
	if err != nil {
		return threading.Report{}, err
	}
	r, err := s.o.Store.Report(c, id)
	if errors.Is(err, store.ErrNotFound) {
		err = problemf(errNotFound, "There is no such report.")
	}
	return r, err
}

// auditor is who looks, as the audit log names it.
const auditor = "api"

// getReport shows a report with the conversation as its reporter has it. The
// look is noted before.
func (s *Server) getReport(c *call) (any, error) {
	r, err := s.report(c)
	if err != nil {
		return nil, err
	}
	h := s.handles()
	v, err := s.reportView(c, r, h)
	if err != nil {
		return nil, err
	}
	if err := s.o.Store.Audit(c, auditor, "report show", v.ID); err != nil {
		return nil, err
	}
	evidence, err := s.o.Pipeline.Evidence(c, r)
	if err != nil {
		return nil, err
	}
	v.Messages = []messageView{}
	for _, e := range evidence {
		from, err := h.of(c, e.WriterID)
		if err != nil {
			return nil, err
		}
		v.Messages = append(v.Messages, messageView{e.Reported, from, e.Subject, e.FiledAt.UTC(), e.Text})
	}
	return v, nil
}

func (s *Server) resolveReport(c *call) (any, error) {
	var b struct {
		Resolution string `json:"resolution"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	if len(b.Resolution) > threading.MaxReason {
		return nil, invalid(fieldError{"/resolution", "It is longer than " + strconv.Itoa(threading.MaxReason) + " octets."})
	}
	r, err := s.report(c)
	if err != nil {
		return nil, err
	}
	if err := s.o.Store.Audit(c, auditor, "report resolve", c.r.PathValue("report")); err != nil {
		return nil, err
	}
	if err := s.o.Store.ResolveReport(c, r.ID, b.Resolution); err != nil {
		return nil, err
	}
	if r, err = s.report(c); err != nil {
		return nil, err
	}
	return s.reportView(c, r, s.handles())
}
