package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// visitor is a member who is signed in, and by which session.
type visitor struct {
	threading.Member
	session store.Session
}

// cookieName is the session cookie's. The prefix makes browsers refuse one that
// another host or a page without TLS sets (RFC 6265bis section 4.1.3.2).
func (s *Server) cookieName() string {
	if s.secure && s.base == "" {
		return "__Host-stagedoor"
	}
	return "stagedoor"
}

func (s *Server) setCookie(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: s.cookieName(), Value: value, Path: s.base + "/", MaxAge: age, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// signIn begins a new session, whatever cookie the browser had; a session of
// that cookie ends.
func (s *Server) signIn(ctx context.Context, w http.ResponseWriter, r *http.Request, m threading.Member) error {
	if old, ok, err := s.visitor(ctx, r); err != nil {
		return err
	} else if ok {
		if err := s.o.Store.EndSession(ctx, old.ID, old.session.ID, 0); err != nil {
			return err
		}
	}
	cookie, err := s.o.Store.NewSession(ctx, m.ID, strings.ToValidUTF8(r.UserAgent(), ""))
	if err != nil {
		return err
	}
	s.setCookie(w, cookie, int(store.SessionFor/time.Second))
	return nil
}

// visitor returns who is signed in; ok is false if nobody is.
func (s *Server) visitor(ctx context.Context, r *http.Request) (v visitor, ok bool, err error) {
	c, err := r.Cookie(s.cookieName())
	if err != nil || len(c.Value) > 100 {
		return v, false, nil
	}
	if v.session, err = s.o.Store.Session(ctx, c.Value); err == nil {
		v.Member, err = s.o.Store.Member(ctx, v.session.MemberID)
	}
	if errors.Is(err, store.ErrNotFound) {
		return v, false, nil
	}
	return v, err == nil && v.Status == threading.MemberActive, err
}

// members is a page for who is signed in; others are asked to. A form is read
// first, however slowly it comes: who may send it is seen when it is there.
func (s *Server) members(page func(context.Context, http.ResponseWriter, *http.Request, visitor)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // what is missing then is the page's to refuse
		ctx, cancel := context.WithTimeout(r.Context(), workTime)
		defer cancel()
		v, ok, err := s.visitor(ctx, r)
		switch {
		case err != nil:
			s.failed(w, err)
		case ok:
			page(ctx, w, r, v)
		case r.Method == http.MethodGet:
			s.toSignIn(w, r, r.URL.Path)
		default:
			s.sessionOver(w)
		}
	}
}

// toSignIn asks the visitor to sign in, and leads back to a page of ours then.
func (s *Server) toSignIn(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, s.base+"/signin?to="+url.QueryEscape(to), http.StatusSeeOther)
}

// sessionOver answers to a form whose member is not signed in any more.
func (s *Server) sessionOver(w http.ResponseWriter) {
	s.tell(w, http.StatusForbidden, "Please sign in again", "Your session has ended, so nothing was changed. Sign in and try again.")
}

// maxLanding bounds the address of a page to go to, in octets.
const maxLanding = 200

// landing is where a visitor goes after signing in: a page of ours that the
// link asked for, never another site.
func (s *Server) landing(to string) string {
	if len(to) > maxLanding {
		to = ""
	}
	path, query, _ := strings.Cut(to, "?")
	for _, page := range []string{"/account", "/contact/"} {
		if rest, ok := strings.CutPrefix(path, page); ok && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789-/") == "" && !strings.Contains(rest, "//") {
			if q, err := url.ParseQuery(query); err == nil && q.Get("about") != "" {
				path += "?about=" + url.QueryEscape(q.Get("about"))
			}
			return s.base + path
		}
	}
	return s.base + "/account"
}

// remoteIP is the client's address: the connection's, or what the web server
// in front, on this machine, says it is.
func remoteIP(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip, perr := netip.ParseAddr(host)
	if err == nil && perr == nil && !ip.IsLoopback() {
		return ip.Unmap()
	}
	list := r.Header.Values("X-Forwarded-For")
	if len(list) > 0 {
		last := list[len(list)-1]
		if forwarded, err := netip.ParseAddr(strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])); err == nil {
			return forwarded.Unmap()
		}
	}
	return ip.Unmap()
}
