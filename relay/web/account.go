package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/login"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// accountPage is what the account page shows.
type accountPage struct {
	Base, Handle, Contact string
	Done, Problem         string // of what was just done
	Member                threading.Member
	Choices               []alertsChoice
	Addresses             []threading.Address
	AddAddress            bool // confirmations can be mailed
	Apps                  []threading.Credential
	HasPassword           bool
	Blocked               []threading.Member
	Sessions              []store.Session
	This                  threading.ID // the session that shows the page
	NewApp, NewAppLabel   string       // an app password, shown this once
}

// alertsChoice is one setting of the alerts.
type alertsChoice struct {
	Value   threading.Alerts
	Label   string
	Current bool
}

// choices are the settings of the alerts in the order in which pages show
// them.
func choices(current threading.Alerts) []alertsChoice {
	list := []alertsChoice{
		{Value: threading.AlertsImmediate, Label: "At once: each message is mailed to me as it comes"},
		{Value: threading.AlertsDaily, Label: "Once a day: one mail with what is new"},
		{Value: threading.AlertsNever, Label: "Never: I read my messages in a mail client"},
	}
	for i := range list {
		list[i].Current = list[i].Value == current
	}
	return list
}

// done are the sentences that follow a change, by the word in the address of
// the page.
var done = map[string]string{
	"alerts": "Your choice has been saved.", "asked": "A link has been mailed to the new address. Open it to add the address.",
	"primary": "Mail to you goes to that address now.", "removed": "It has been removed.", "works": "Mail goes there again.", "password": "Your password has been changed. Other browsers are signed out.",
	"unblocked": "What they write from now on reaches you again.", "ended": "The other browsers are signed out.",
}

func (s *Server) account(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	s.showAccount(ctx, w, http.StatusOK, v, accountPage{Done: done[r.URL.Query().Get("done")]})
}

// showAccount completes the page and shows it.
func (s *Server) showAccount(ctx context.Context, w http.ResponseWriter, status int, v visitor, p accountPage) {
	p.Base, p.Handle, p.Contact, p.Member, p.This = s.base, v.Handle, v.Handle+"@"+s.o.Domain, v.Member, v.session.ID
	p.Choices, p.AddAddress = choices(v.Alerts), s.o.BaseURL != ""
	var err, err2, err3, err4 error
	var credentials []threading.Credential
	p.Addresses, err = s.o.Store.Addresses(ctx, v.ID)
	credentials, err2 = s.o.Store.Credentials(ctx, v.ID)
	p.Blocked, err3 = s.o.Store.BlockedMembers(ctx, v.ID)
	p.Sessions, err4 = s.o.Store.Sessions(ctx, v.ID)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		s.failed(w, err)
		return
	}
	for _, c := range credentials {
		if c.Kind == threading.CredentialApp {
			p.Apps = append(p.Apps, c)
		} else {
			p.HasPassword = true
		}
	}
	s.show(w, status, "Your account", "account", p)
}

// problem shows the account page again, with what was wrong.
func (s *Server) problem(ctx context.Context, w http.ResponseWriter, v visitor, sentence string) {
	s.showAccount(ctx, w, http.StatusUnprocessableEntity, v, accountPage{Problem: sentence})
}

// changed goes back to the account page after a change.
func (s *Server) changed(w http.ResponseWriter, r *http.Request, what string) {
	http.Redirect(w, r, s.base+"/account?done="+what, http.StatusSeeOther)
}

func (s *Server) accountAlerts(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	m := v.Member
	m.Alerts, m.DigestAt, m.Timezone = threading.Alerts(r.PostFormValue("alerts")), r.PostFormValue("digest_at"), strings.TrimSpace(r.PostFormValue("timezone"))
	known := false
	for _, c := range choices("") {
		known = known || c.Value == m.Alerts
	}
	if err := threading.CheckDigestAt(m.DigestAt); err != nil {
		s.problem(ctx, w, v, "The hour "+err.Error()+".")
		return
	}
	if err := threading.CheckTimezone(m.Timezone); err != nil {
		s.problem(ctx, w, v, "“"+m.Timezone+"” "+err.Error()+".")
		return
	}
	if !known {
		s.problem(ctx, w, v, "Please choose one of the three.")
		return
	}
	if err := s.o.Store.UpdateMember(ctx, m); err != nil {
		s.failed(w, err)
		return
	}
	s.changed(w, r, "alerts")
}

// firstContact says which first messages the member takes.
func (s *Server) firstContact(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	m := v.Member
	switch m.FirstContact = threading.FirstContact(r.PostFormValue("first")); m.FirstContact {
	case threading.FirstContactAnyone, threading.FirstContactOwn:
	default:
		s.problem(ctx, w, v, "Please choose one of the two.")
		return
	}
	if err := s.o.Store.UpdateMember(ctx, m); err != nil {
		s.failed(w, err)
		return
	}
	s.changed(w, r, "alerts")
}

// addAddress mails a link to an address that the member wants to add. Whether
// it is somebody's shows only to who reads its mail.
func (s *Server) addAddress(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	addr := strings.TrimSpace(r.PostFormValue("address"))
	local, domain, err := threading.SplitAddress(addr)
	switch {
	case err != nil:
		s.problem(ctx, w, v, "That is not an e-mail address: "+err.Error()+".")
		return
	case local != "" && strings.EqualFold(domain, s.o.Domain):
		s.problem(ctx, w, v, "Please give an address of your own, not one of this service.")
		return
	case s.o.BaseURL == "" || !s.links.allow(remoteIP(r), maxLinksPerHour):
		s.problem(ctx, w, v, "Too many links were asked for from your network. Please try again in an hour.")
		return
	}
	err = s.o.Pipeline.RequestAddress(ctx, v.Member, addr)
	if errors.Is(err, store.ErrLimit) {
		s.problem(ctx, w, v, "Links to other addresses wait for an answer already. Please open them first, or try again in some days.")
		return
	}
	if err != nil && !errors.Is(err, store.ErrAskedAlready) {
		s.failed(w, err)
		return
	}
	s.changed(w, r, "asked")
}

func (s *Server) primaryAddress(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if err := s.o.Store.SetPrimary(ctx, v.ID, r.PostFormValue("address")); err != nil {
		s.notThere(ctx, w, v, err)
		return
	}
	s.changed(w, r, "primary")
}

// addressWorks lets mail go again to an address that mail came back from.
func (s *Server) addressWorks(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if err := s.o.Store.AddressWorks(ctx, v.ID, idOf(r)); err != nil {
		s.notThere(ctx, w, v, err)
		return
	}
	s.changed(w, r, "works")
}

func (s *Server) removeAddress(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	err := s.o.Store.RemoveAddress(ctx, v.ID, r.PostFormValue("address"))
	if errors.Is(err, store.ErrPrimary) {
		s.problem(ctx, w, v, "Mail to you goes to this address: choose another one for that first.")
		return
	}
	if err != nil {
		s.notThere(ctx, w, v, err)
		return
	}
	s.changed(w, r, "removed")
}

// notThere answers to what can't be done because it is not there any more.
func (s *Server) notThere(ctx context.Context, w http.ResponseWriter, v visitor, err error) {
	if errors.Is(err, store.ErrNotFound) {
		s.problem(ctx, w, v, "That is not there any more.")
		return
	}
	s.failed(w, err)
}

// changePassword sets the password. Who has one must know it: a browser that
// was left open is not enough.
func (s *Server) changePassword(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	credentials, err := s.o.Store.Credentials(ctx, v.ID)
	if err != nil {
		s.failed(w, err)
		return
	}
	for _, c := range credentials {
		if c.Kind != threading.CredentialPassword {
			continue
		}
		if _, err := s.o.Login.Verify(ctx, v.Handle, r.PostFormValue("old"), remoteIP(r)); errors.Is(err, login.ErrDenied) {
			s.problem(ctx, w, v, "The old password is wrong.")
			return
		} else if err != nil {
			s.failed(w, err)
			return
		}
	}
	password := r.PostFormValue("new")
	if err := seal.CheckPassword(password); err != nil {
		s.problem(ctx, w, v, strings.ToUpper(err.Error()[:1])+err.Error()[1:]+".")
		return
	}
	err = s.o.Store.SetCredential(ctx, threading.Credential{MemberID: v.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: seal.NewVerifier(password)})
	if err == nil {
		err = s.o.Store.EndSession(ctx, v.ID, 0, v.session.ID)
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	s.changed(w, r, "password")
}

func (s *Server) addApp(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	label := strings.TrimSpace(r.PostFormValue("label"))
	password, verifier := seal.NewAppPassword(seal.ScramSalt(s.o.Store.Keyring(), v.Handle))
	err := s.o.Store.AddAppPassword(ctx, v.ID, label, verifier)
	switch {
	case errors.Is(err, store.ErrExists):
		s.problem(ctx, w, v, "You have an app password of that name already: give this one another, or remove the old one first.")
	case errors.Is(err, store.ErrLimit):
		s.problem(ctx, w, v, "You have "+strconv.Itoa(store.MaxAppPasswords)+" app passwords: remove one that you don't use first.")
	case err != nil && threading.CheckName(label) != nil:
		s.problem(ctx, w, v, "Please give the device a short name, such as “Phone”.")
	case err != nil:
		s.failed(w, err)
	default:
		s.showAccount(ctx, w, http.StatusOK, v, accountPage{NewApp: password, NewAppLabel: label})
	}
}

// idOf is an ID that a form of ours holds.
func idOf(r *http.Request) threading.ID {
	n, err := strconv.ParseInt(r.PostFormValue("id"), 10, 64)
	if err != nil {
		return -1
	}
	return threading.ID(n)
}

func (s *Server) removeApp(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if err := s.o.Store.RemoveAppPassword(ctx, v.ID, idOf(r)); err != nil {
		s.notThere(ctx, w, v, err)
		return
	}
	s.changed(w, r, "removed")
}

func (s *Server) unblock(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if err := s.o.Store.Unblock(ctx, v.ID, idOf(r)); err != nil {
		s.failed(w, err)
		return
	}
	s.changed(w, r, "unblocked")
}

func (s *Server) endSessions(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if err := s.o.Store.EndSession(ctx, v.ID, 0, v.session.ID); err != nil {
		s.failed(w, err)
		return
	}
	s.changed(w, r, "ended")
}

// removeAccount erases the member, who must write the handle to show that this
// is meant.
func (s *Server) removeAccount(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if strings.TrimSpace(r.PostFormValue("handle")) != v.Handle {
		s.problem(ctx, w, v, "To remove your account, write your name “"+v.Handle+"” into the field.")
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
