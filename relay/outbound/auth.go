package outbound

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/emersion/go-sasl"
)

// errMechanism: there is no way to prove who we are.
var errMechanism = &failure{text: "the server offers none of AUTH PLAIN, LOGIN and SCRAM-SHA-256", host: true, config: true}

// auth signs in (RFC 4954), by the first of the mechanisms that the server
// offers. The password is given only to a server that proved its name, or that
// is on this machine; so the simplest is as good as any.
func (s *session) auth(user, password string) error {
	offered := " " + strings.ToUpper(s.ext["AUTH"]) + " "
	for _, mechanism := range []sasl.Client{
		sasl.NewPlainClient("", user, password),
		&login{user: user, password: password},
		newScram(user, password),
	} {
		name, first, err := mechanism.Start()
		if err == nil && strings.Contains(offered, " "+name+" ") {
			return s.exchange(name, first, mechanism)
		}
	}
	return errMechanism
}

// login is the client's side of LOGIN, which has no RFC. It implements
// sasl.Client. The library's insists on one wording of the prompts, which differ.
type login struct {
	user, password string
	asked          int
}

func (l *login) Start() (mechanism string, first []byte, err error) { return sasl.Login, nil, nil }

func (l *login) Next([]byte) ([]byte, error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte(l.user), nil
	case 2:
		return []byte(l.password), nil
	}
	return nil, sasl.ErrUnexpectedServerChallenge
}

// exchange runs the challenges of one mechanism.
func (s *session) exchange(name string, first []byte, mechanism sasl.Client) error {
	line := "AUTH " + name
	if first != nil {
		line += " " + orDefault(base64.StdEncoding.EncodeToString(first), "=")
	}
	rep, err := s.command(line)
	for err == nil && rep.code == 334 {
		var challenge, answer []byte
		if challenge, err = base64.StdEncoding.DecodeString(rep.lines[0]); err == nil {
			answer, err = mechanism.Next(challenge)
		}
		if err != nil {
			return s.cancelAuth()
		}
		rep, err = s.command(base64.StdEncoding.EncodeToString(answer))
	}
	if err != nil {
		return hostFailure(err, "AUTH")
	}
	if rep.code != 235 {
		f := refusal(rep, "user or password refused")
		f.host, f.permanent, f.config = true, false, true
		return f
	}
	if c, ok := mechanism.(*scram); ok && !c.proven {
		return &failure{text: "AUTH: the server did not prove that it knows the password", host: true, config: true}
	}
	return nil
}

// cancelAuth ends an exchange that makes no sense (RFC 4954 section 4).
func (s *session) cancelAuth() error {
	if _, err := s.command("*"); err != nil && !errors.Is(err, errReply) {
		return hostFailure(err, "AUTH")
	}
	return &failure{text: "AUTH: the server's challenge makes no sense", host: true, config: true}
}
