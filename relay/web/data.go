package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/export"
)

// Exports read whole mailboxes: so many at a time, each of another member, for
// so long.
const (
	maxExports = 4
	exportTime = 30 * time.Minute
	// maxExportsPerHour is how many a member may ask for.
	maxExportsPerHour = 10
	// Who reads less than this, in octets a second and after a first while, gives
	// their place up to others.
	minExportRate = 32 << 10
)

// export streams all that is the member's own.
func (s *Server) export(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // before the session is looked at, as in members
	ctx, cancel := context.WithTimeout(r.Context(), exportTime)
	defer cancel()
	v, ok, err := s.visitor(ctx, r)
	switch {
	case err != nil:
		s.failed(w, err)
		return
	case !ok:
		s.sessionOver(w)
		return
	case !s.prove(ctx, w, r, atData, "current-export", v):
		return
	case !s.exports.allow(v.Handle, maxExportsPerHour):
		s.showAccount(ctx, w, http.StatusTooManyRequests, atData, v, accountPage{Problem: problem{Text: "You have loaded your data several times. Please try again in an hour."}})
		return
	}
	if _, busy := s.exporters.LoadOrStore(v.ID, true); busy {
		s.showAccount(ctx, w, http.StatusTooManyRequests, atData, v, accountPage{Problem: problem{Text: "You are loading your data already. Please wait until that is done."}})
		return
	}
	defer s.exporters.Delete(v.ID)
	select {
	case s.exporting <- struct{}{}:
		defer func() { <-s.exporting }()
	default:
		s.showAccount(ctx, w, http.StatusServiceUnavailable, atData, v, accountPage{Problem: problem{Text: "Others are loading their data right now. Please try again in a few minutes."}})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="`+v.Handle+`-`+s.now().UTC().Format("2006-01-02")+`.zip"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	s.log.Info("a member exports everything", "member", v.Handle)
	if _, err := export.Zip(ctx, s.o.Store, v.Member, &slowly{w: w, c: http.NewResponseController(w), rate: minExportRate, grace: writeTime}); err != nil {
		s.log.Warn("an export was cut off", "member", v.Handle, "error", err)
		panic(http.ErrAbortHandler) // the browser must not take it for whole
	}
}

// slowly writes to a client that may be slow, but not slower than rate, in
// octets a second, once it was waited for as long as grace. Only the time that it
// is waited for counts.
type slowly struct {
	w      http.ResponseWriter
	c      *http.ResponseController
	rate   int64
	grace  time.Duration
	sent   int64
	waited time.Duration
}

func (s *slowly) Write(p []byte) (int, error) {
	began := time.Now()
	left := s.grace + time.Duration(float64(s.sent)/float64(s.rate)*float64(time.Second)) - s.waited
	if err := s.c.SetWriteDeadline(began.Add(min(left, writeTime))); err != nil {
		return 0, err
	}
	n, err := s.w.Write(p)
	s.sent += int64(n)
	s.waited += time.Since(began)
	return n, err
}

// removeAccount erases the member, who must write the handle to show that this
// is meant.
func (s *Server) removeAccount(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if strings.TrimSpace(r.PostFormValue("handle")) != v.Handle {
		s.problem(ctx, w, atData, v, problem{Field: "handle", Text: "To remove your account, write your name “" + v.Handle + "” into the field."})
		return
	}
	if !s.prove(ctx, w, r, atData, "current-remove", v) {
		return
	}
	if err := s.o.Store.RemoveMember(ctx, v.ID); err != nil {
		s.failed(w, err)
		return
	}
	s.log.Info("a member removed the account", "member", v.Handle)
	s.setCookie(w, "", -1)
	s.tell(w, http.StatusOK, "Your account has been removed", "Your addresses, passwords and mailbox are gone. Those you wrote with see “"+threading.FormerMember+"” in new messages.")
}
