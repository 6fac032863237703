package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/template"
)

// MailPorts are where mail clients connect, on Options.Hostname. A port that
// is zero is not offered.
type MailPorts struct {
	IMAPTLS, IMAP             int // TLS from the first octet; STARTTLS
	SubmissionTLS, Submission int
}

// mailService is one way to connect, as pages and files show it.
type mailService struct {
	Kind string // "imap" or "smtp"
	Host string
	Port int
	TLS  bool // from the first octet; else STARTTLS
}

// Security is what most clients call it.
func (m mailService) Security() string {
	if m.TLS {
		return "SSL/TLS"
	}
	return "STARTTLS"
}

// services lists the ways to connect, TLS from the first octet first (RFC 8314
// section 3.3).
func (s *Server) services(kind string) []mailService {
	ports := [2]int{s.o.Ports.IMAPTLS, s.o.Ports.IMAP}
	if kind == "smtp" {
		ports = [2]int{s.o.Ports.SubmissionTLS, s.o.Ports.Submission}
	}
	var list []mailService
	for i, port := range ports {
		if port != 0 {
			list = append(list, mailService{kind, s.o.Hostname, port, i == 0})
		}
	}
	return list
}

// settings is what the files for mail programs are made of.
type settings struct {
	Domain, Brand, Address, Handle string
	Name                           string // of the member, in a profile
	IMAP, SMTP                     []mailService
	UUIDs                          [3]string
}

// settingsFor are the settings of a member, or of whoever asks, where the
// handle is empty. That there is such a member is not looked up.
func (s *Server) settingsFor(handle string) settings {
	return settings{Domain: s.o.Domain, Brand: s.o.Brand, Address: handle + "@" + s.o.Domain, Handle: handle, IMAP: s.services("imap"), SMTP: s.services("smtp")}
}

// first is the best of the ways to connect; nil if there is none.
func first(list []mailService) *mailService {
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// xmlFuncs escape what stands in the files.
var xmlFuncs = template.FuncMap{"first": first, "x": func(v any) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(fmt.Sprint(v))) // a Builder takes everything
	return b.String()
}}

var mailFiles = template.Must(template.New("").Funcs(xmlFuncs).ParseFS(files, "pages/*.xml"))

// mailFile writes a file; false: it could not, and has said so.
func (s *Server) mailFile(w http.ResponseWriter, name string, data any) ([]byte, bool) {
	var b bytes.Buffer
	if err := mailFiles.ExecuteTemplate(&b, name, data); err != nil {
		s.log.Error("a file can't be made", "file", name, "error", err)
		answer(w, http.StatusInternalServerError, "Something went wrong here. Please try again later.\n")
		return nil, false
	}
	return b.Bytes(), true
}

// send sends a file.
func send(w http.ResponseWriter, kind string, content []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(content)
}

const xmlType = "application/xml; charset=utf-8"

// autoconfig answers Thunderbird, K-9 and others that follow Mozilla's
// configuration format, version 1.1. The user name is the address's local part.
func (s *Server) autoconfig(w http.ResponseWriter, _ *http.Request) {
	if content, ok := s.mailFile(w, "autoconfig.xml", s.settingsFor("")); ok {
		send(w, xmlType, content)
	}
}

// maxAutodiscover bounds an Autodiscover request, in octets.
const maxAutodiscover = 16 << 10

// outlookSchema is what Autodiscover answers in; a phone that looks for an Exchange
// server asks for another.
const outlookSchema = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"

// autodiscover answers Outlook's POX Autodiscover (MS-OXDSCLI section 2.2.4).
func (s *Server) autodiscover(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Address string `xml:"Request>EMailAddress"`
		Schema  string `xml:"Request>AcceptableResponseSchema"`
	}
	if err := xml.NewDecoder(io.LimitReader(r.Body, maxAutodiscover)).Decode(&q); err != nil {
		answer(w, http.StatusBadRequest, "This is no Autodiscover request.\n")
		return
	}
	handle, domain, _ := strings.Cut(strings.ToLower(strings.TrimSpace(q.Address)), "@")
	if domain != s.o.Domain {
		answer(w, http.StatusNotFound, "The address is not one of this service.\n")
		return
	}
	name, data := "autodiscover.xml", any(s.settingsFor(handle))
	if q.Schema = strings.TrimSpace(q.Schema); q.Schema != "" && q.Schema != outlookSchema {
		name, data = "autodiscover-error.xml", nil
	}
	if content, ok := s.mailFile(w, name, data); ok {
		send(w, xmlType, content)
	}
}

// autodiscoverJSON tells newer Outlooks where the XML is (MS-OXDISCO section
// 4.1 describes the lookup).
func (s *Server) autodiscoverJSON(w http.ResponseWriter, r *http.Request) {
	protocol := ""
	for name, values := range r.URL.Query() { // some write it in lower case
		if strings.EqualFold(name, "Protocol") {
			protocol = values[0]
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if !strings.EqualFold(protocol, "AutodiscoverV1") {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]string{"ErrorCode": "ProtocolNotSupported", "ErrorMessage": "Only AutodiscoverV1 is supported."})
		return
	}
	base := s.o.BaseURL
	if base == "" {
		base = "https://" + r.Host
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"Protocol": "AutodiscoverV1", "Url": base + "/autodiscover/autodiscover.xml"})
}

// profile is a configuration profile for iPhone, iPad and Mac. It holds no
// password: the device asks for it.
func (s *Server) profile(_ context.Context, w http.ResponseWriter, _ *http.Request, v visitor) {
	set := s.settingsFor(v.Handle)
	set.Name = v.DisplayName()
	for i := range set.UUIDs {
		// The same profile has the same UUIDs: installing it again replaces it.
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", i, set.Address))
		sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // RFC 9562 section 5.8
		set.UUIDs[i] = fmt.Sprintf("%X-%X-%X-%X-%X", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
	}
	content, ok := s.mailFile(w, "profile.xml", set)
	if !ok {
		return
	}
	if s.o.Signer != nil {
		if c := s.o.Signer(); c != nil {
			file, err := signed(content, c)
			if err != nil {
				s.log.Warn("a profile goes out unsigned", "error", err)
			} else {
				content = file
			}
		}
	}
	w.Header().Set("Content-Disposition", `attachment; filename="`+v.Handle+`.mobileconfig"`)
	send(w, "application/x-apple-aspen-config", content)
}
