package web

import (
	"net/http"
	"net/url"
)

// routes says which page is where. What a browser posts from another site is
// refused; what comes from a program, such as RFC 8058's one click, is not a
// browser's.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /style.css", s.style)
	mux.HandleFunc("GET /contact.js", s.script("contact.js"))
	mux.HandleFunc("GET /frame.js", s.script("frame.js"))

	// What links in mail open.
	mux.HandleFunc("GET /held/{token}", s.question)
	mux.HandleFunc("POST /held/{token}", s.answerQuestion)
	mux.HandleFunc("GET /address/{token}", s.address)
	mux.HandleFunc("POST /address/{token}", s.grantAddress)
	mux.HandleFunc("GET /block/{token}", s.block)
	mux.HandleFunc("POST /block/{token}", s.setBlock)
	mux.HandleFunc("GET /alerts/{token}", s.alerts)
	mux.HandleFunc("POST /alerts/{token}", s.setAlerts)

	mux.HandleFunc("GET /contact/{handle}", s.contactForm)
	mux.HandleFunc("POST /contact/{handle}", s.contact)

	mux.HandleFunc("GET /signin", s.signInForm)
	mux.HandleFunc("POST /signin", s.signInByPassword)
	mux.HandleFunc("POST /signin/link", s.mailLink)
	mux.HandleFunc("GET /signin/{token}", s.signInLink)
	mux.HandleFunc("POST /signin/{token}", s.useSignInLink)
	mux.HandleFunc("POST /signout", s.members(s.signOut))

	for _, path := range []string{atSettings, atAddresses, atPasswords, atBlocked, atConnect, atData} {
		mux.HandleFunc("GET "+path, s.account(path))
	}
	mux.HandleFunc("GET "+atConversations, s.members(s.conversations))
	mux.HandleFunc("POST /account/alerts", s.members(s.accountAlerts))
	mux.HandleFunc("POST /account/first", s.members(s.firstContact))
	mux.HandleFunc("POST /account/address", s.members(s.addAddress))
	mux.HandleFunc("POST /account/address/primary", s.members(s.primaryAddress))
	mux.HandleFunc("POST /account/address/works", s.members(s.addressWorks))
	mux.HandleFunc("POST /account/address/remove", s.members(s.removeAddress))
	mux.HandleFunc("POST /account/password", s.members(s.changePassword))
	mux.HandleFunc("POST /account/app", s.members(s.addApp))
	mux.HandleFunc("POST /account/app/remove", s.members(s.removeApp))
	mux.HandleFunc("POST /account/unblock", s.members(s.unblock))
	mux.HandleFunc("POST /account/sessions/end", s.members(s.endSessions))
	mux.HandleFunc("POST /account/conversations", s.members(s.threadAlerts))
	mux.HandleFunc("POST /account/again", s.members(s.again))
	mux.HandleFunc("POST /account/export", s.export)
	mux.HandleFunc("POST /account/remove", s.members(s.removeAccount))
	mux.HandleFunc("POST /account/connect/code", s.members(s.connectCode))
	mux.HandleFunc("GET /account/connect/profile.mobileconfig", s.members(s.profile))

	// What mail programs ask for by themselves.
	mux.HandleFunc("GET /.well-known/autoconfig/mail/config-v1.1.xml", s.autoconfig)
	mux.HandleFunc("GET /mail/config-v1.1.xml", s.autoconfig)
	for _, path := range []string{"/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AutoDiscover.xml"} {
		mux.HandleFunc("POST "+path, s.autodiscover)
	}
	for _, path := range []string{"/autodiscover/autodiscover.json", "/autodiscover/autodiscover.json/v1.0/{address}"} {
		mux.HandleFunc("GET "+path, s.autodiscoverJSON)
	}

	mux.HandleFunc("GET /.well-known/mta-sts.txt", s.stsPolicy)
	mux.HandleFunc("GET /.well-known/acme-challenge/{token}", s.challenge)

	if s.o.API != nil {
		mux.Handle("/api/", s.o.API)
	}

	guard := http.NewCrossOriginProtection()
	if u, err := url.Parse(s.o.BaseURL); err == nil && u.Host != "" {
		_ = guard.AddTrustedOrigin(u.Scheme + "://" + u.Host) // also where a web server in front changes Host
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.tell(w, http.StatusForbidden, "This came from another site", "Nothing was changed. Please open the page here and try again.")
	}))
	return guard.Handler(mux)
}
