package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// memberView is a member as the API shows one.
type memberView struct {
	Handle    string    `json:"handle"`
	Name      string    `json:"name"`
	Contact   string    `json:"contact_address"`
	Status    string    `json:"status"`
	Alerts    string    `json:"alerts"`
	DigestAt  string    `json:"digest_at"`
	Timezone  string    `json:"timezone"`
	First     string    `json:"first_contact"`
	Language  string    `json:"language"`
	CreatedAt time.Time `json:"created_at"`
}

func (s *Server) memberView(m threading.Member) memberView {
	return memberView{m.Handle, m.Name, m.Handle + "@" + s.o.Domain, string(m.Status), string(m.Alerts), m.DigestAt, m.Timezone, string(m.FirstContact), m.Language, m.CreatedAt.UTC()}
}

func (s *Server) listMembers(c *call) (any, error) {
	l, err := s.listing(c)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Store.Members(c, l.after, l.limit+1)
	if err != nil {
		return nil, err
	}
	return paged(s, c, l, list, func(m threading.Member) string { return m.Handle }, s.memberView), nil
}

func (s *Server) getMember(c *call) (any, error) {
	m, err := s.member(c)
	return s.memberView(m), err
}

// newMember is the body that adds a member.
type newMember struct {
	Handle       string   `json:"handle"`
	Name         string   `json:"name"`
	Addresses    []string `json:"addresses"`
	Alerts       string   `json:"alerts"`
	DigestAt     string   `json:"digest_at"`
	Timezone     string   `json:"timezone"`
	FirstContact string   `json:"first_contact"`
	Language     string   `json:"language"`
	Password     string   `json:"password"`
	PasswordHash string   `json:"password_hash"`
}

// maxAddresses is how many addresses a member may be added with.
const maxAddresses = 20

func (s *Server) checkNewMember(b newMember) error {
	var l checks
	l.value("/handle", b.Handle, threading.CheckHandle)
	l.value("/name", b.Name, threading.CheckName)
	l.value("/first_contact", b.FirstContact, optional(among(firstContacts...)))
	l.value("/language", b.Language, s.checkLanguage)
	l.value("/alerts", b.Alerts, optional(threading.CheckAlerts))
	l.value("/digest_at", b.DigestAt, optional(threading.CheckDigestAt))
	l.value("/timezone", b.Timezone, optional(threading.CheckTimezone))
	l.value("/password_hash", b.PasswordHash, optional(seal.CheckVerifier))
	if b.Password != "" {
		if err := seal.CheckPassword(b.Password); err != nil {
			l = append(l, fieldError{"/password", sentence(err.Error())})
		}
		if b.PasswordHash != "" {
			l = append(l, fieldError{"/password_hash", "Send the password or its hash, not both."})
		}
	}
	if len(b.Addresses) == 0 || len(b.Addresses) > maxAddresses {
		l = append(l, fieldError{"/addresses", "A member is added with 1 to 20 real addresses, the primary one first."})
	}
	for _, a := range b.Addresses {
		if err := threading.CheckReal(a, s.o.Domain); err != nil {
			l = append(l, fieldError{"/addresses", sentence(err.Error())})
		}
	}
	return l.err()
}

// addMember adds a member. One who is there just so already is answered as
// they are: the platform may send it twice.
func (s *Server) addMember(c *call) (any, error) {
	var b newMember
	if err := c.read(&b); err != nil {
		return nil, err
	}
	b.Name = strings.TrimSpace(b.Name)
	if err := s.checkNewMember(b); err != nil {
		return nil, err
	}
	verifier := b.PasswordHash
	if b.Password != "" {
		var err error
		if verifier, err = s.hash(c, b.Password); err != nil {
			return nil, err
		}
	}
	done, err := s.o.Store.PutMembers(c, []store.NewMember{{
		Member:    threading.Member{Handle: b.Handle, Name: b.Name, Alerts: threading.Alerts(b.Alerts), DigestAt: b.DigestAt, Timezone: b.Timezone, FirstContact: threading.FirstContact(b.FirstContact), Language: b.Language},
		Addresses: b.Addresses, Verifier: verifier,
	}}, false, false)
	if err != nil {
		return nil, err
	}
	if err := done[0].Err; errors.Is(err, store.ErrExists) {
		return nil, problemf(errConflict, "%s", sentence(strings.TrimSuffix(err.Error(), ": "+store.ErrExists.Error())))
	} else if err != nil {
		return nil, err
	}
	m, err := s.o.Store.MemberByHandle(c, b.Handle)
	if err != nil {
		return nil, err
	}
	s.created(c, "/members/"+m.Handle)
	if done[0].Enrolment == store.EnrolPresent {
		c.status = http.StatusOK
		if err := s.sameMember(c, m, b); err != nil {
			return nil, err
		}
	}
	return s.memberView(m), nil
}

// sameMember says what of a member is otherwise than the request has it.
func (s *Server) sameMember(c *call, m threading.Member, b newMember) error {
	for _, v := range []struct{ what, given, is string }{
		{"name", b.Name, m.Name},
		{"alerts", b.Alerts, string(m.Alerts)},
		{"digest_at", b.DigestAt, m.DigestAt},
		{"timezone", b.Timezone, m.Timezone},
		{"first_contact", b.FirstContact, string(m.FirstContact)},
		{"language", b.Language, m.Language},
	} {
		if v.given != "" && v.given != v.is {
			return problemf(errConflict, "There is this member already, with another %s: PATCH changes it.", v.what)
		}
	}
	for _, a := range b.Addresses {
		owner, err := s.o.Store.MemberByAddress(c, a)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if owner.ID != m.ID {
			return problemf(errConflict, "There is this member already, without one of the addresses: POST to /members/%s/addresses adds it.", m.Handle)
		}
	}
	if b.Password == "" && b.PasswordHash == "" {
		return nil
	}
	list, err := s.o.Store.Credentials(c, m.ID)
	if err != nil {
		return err
	}
	for _, k := range list {
		if k.Kind != threading.CredentialPassword {
			continue
		}
		same := k.Verifier == b.PasswordHash
		if b.Password != "" {
			if same, err = s.verify(c, k.Verifier, b.Password); err != nil {
				return err
			}
		}
		if same {
			return nil
		}
	}
	return problemf(errConflict, "There is this member already, with another password: PUT /members/%s/password sets it.", m.Handle)
}

// hash makes a password's verifier, not too many at a time.
func (s *Server) hash(c *call, password string) (string, error) {
	var verifier string
	err := s.hashed(c, func() { verifier = seal.NewVerifier(password) })
	return verifier, err
}

// verify checks a password, not too many at a time.
func (s *Server) verify(c *call, verifier, password string) (bool, error) {
	var same bool
	err := s.hashed(c, func() { same = seal.Verify(verifier, password) })
	return same, err
}

func (s *Server) hashed(c *call, f func()) error {
	select {
	case s.hashing <- struct{}{}:
	case <-c.Done():
		return c.Err()
	}
	defer func() { <-s.hashing }()
	f()
	return nil
}

// memberChange is the body that changes a member; what it lacks stays.
type memberChange struct {
	Name     *string `json:"name"`
	Status   *string `json:"status"`
	Alerts   *string `json:"alerts"`
	DigestAt *string `json:"digest_at"`
	Timezone *string `json:"timezone"`
	First    *string `json:"first_contact"`
	Language *string `json:"language"`
}

var firstContacts = []string{string(threading.FirstContactAnyone), string(threading.FirstContactOwn)}

func (s *Server) changeMember(c *call) (any, error) {
	var b memberChange
	if err := c.read(&b); err != nil {
		return nil, err
	}
	var l checks
	for _, v := range []struct {
		pointer string
		value   *string
		check   func(string) error
	}{
		{"/name", b.Name, threading.CheckName},
		{"/status", b.Status, among(string(threading.MemberActive), string(threading.MemberSuspended))},
		{"/alerts", b.Alerts, threading.CheckAlerts},
		{"/digest_at", b.DigestAt, threading.CheckDigestAt},
		{"/timezone", b.Timezone, threading.CheckTimezone},
		{"/first_contact", b.First, among(firstContacts...)},
		{"/language", b.Language, s.checkLanguage},
	} {
		if v.value != nil {
			*v.value = strings.TrimSpace(*v.value)
			l.value(v.pointer, *v.value, v.check)
		}
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	m, err := s.o.Store.ChangeMember(c, c.r.PathValue("handle"), func(m *threading.Member) error {
		if err := c.matches(s.memberView(*m)); err != nil {
			return err
		}
		set(&m.Name, b.Name)
		set(&m.Status, b.Status)
		set(&m.Alerts, b.Alerts)
		set(&m.DigestAt, b.DigestAt)
		set(&m.Timezone, b.Timezone)
		set(&m.FirstContact, b.First)
		set(&m.Language, b.Language)
		return nil
	})
	return s.memberView(m), err
}

// checkLanguage says why a member can't be written to in a language; empty is the
// installation's.
func (s *Server) checkLanguage(tag string) error {
	if tag == "" || s.o.Languages.Known(tag) {
		return nil
	}
	return fmt.Errorf("must be one of %s, or empty for the installation's", strings.Join(s.o.Languages.Tags(), ", "))
}

// set sets what is given.
func set[T ~string](to *T, value *string) {
	if value != nil {
		*to = T(*value)
	}
}

func (s *Server) removeMember(c *call) (any, error) {
	m, err := s.member(c)
	if err == nil {
		err = c.matches(s.memberView(m))
	}
	if err != nil {
		return nil, err
	}
	if err := s.o.Store.RemoveMember(c, m.ID); err != nil {
		return nil, err
	}
	s.log.Info("a member was removed", "member", m.Handle, "by", "api")
	return nil, nil
}

func (s *Server) setPassword(c *call) (any, error) {
	var b struct {
		Password string `json:"password"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	if err := seal.CheckPassword(b.Password); err != nil {
		return nil, invalid(fieldError{"/password", sentence(err.Error())})
	}
	m, err := s.member(c)
	if err != nil {
		return nil, err
	}
	verifier, err := s.hash(c, b.Password)
	if err != nil {
		return nil, err
	}
	err = s.o.Store.SetCredential(c, threading.Credential{MemberID: m.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: verifier})
	if err == nil {
		err = s.o.Store.EndSession(c, m.ID, 0, 0) // who knew the old one is signed out
	}
	return nil, err
}

// addressView is a real address as the API shows one: never in full.
type addressView struct {
	ID         string     `json:"id"`
	Masked     string     `json:"masked"`
	Primary    bool       `json:"primary"`
	VerifiedAt *time.Time `json:"verified_at"`
	FailedAt   *time.Time `json:"failed_at"`
	Failure    string     `json:"failure"`
}

func (s *Server) addressView(a threading.Address) addressView {
	return addressView{s.o.Store.Keyring().Token(seal.TokenRealAddress, a.ID), threading.Mask(a.Real), a.Primary, orNull(a.VerifiedAt), orNull(a.FailedAt), a.Failure}
}

// orNull is a time as JSON shows it: null for none.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (s *Server) listAddresses(c *call) (any, error) {
	m, err := s.member(c)
	if err != nil {
		return nil, err
	}
	list, err := s.o.Store.Addresses(c, m.ID)
	p := page[addressView]{Items: []addressView{}}
	for _, a := range list {
		p.Items = append(p.Items, s.addressView(a))
	}
	return p, err
}

// addAddress adds a real address that the platform answers for. One that is the
// member's already is answered as it is.
func (s *Server) addAddress(c *call) (any, error) {
	var b struct {
		Address string `json:"address"`
		Primary bool   `json:"primary"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	if err := threading.CheckReal(b.Address, s.o.Domain); err != nil {
		return nil, invalid(fieldError{"/address", sentence(err.Error())})
	}
	m, err := s.member(c)
	if err != nil {
		return nil, err
	}
	err = s.o.Store.AddAddress(c, m.ID, b.Address)
	taken := errors.Is(err, store.ErrExists)
	if err != nil && !taken {
		return nil, err
	}
	if b.Primary {
		if err := s.o.Store.SetPrimary(c, m.ID, b.Address); err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	list, err := s.o.Store.Addresses(c, m.ID)
	if err != nil {
		return nil, err
	}
	want, err := threading.Canonical(b.Address)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if is, err := threading.Canonical(a.Real); err == nil && is == want {
			if taken {
				c.status = http.StatusOK
			}
			s.created(c, "/members/"+m.Handle+"/addresses/"+s.o.Store.Keyring().Token(seal.TokenRealAddress, a.ID))
			return s.addressView(a), nil
		}
	}
	return nil, problemf(errConflict, "The address is registered already.")
}

// address finds one of the member's addresses by the ID in the path.
func (s *Server) address(c *call) (threading.Address, error) {
	m, err := s.member(c)
	if err != nil {
		return threading.Address{}, err
	}
	id, err := s.id(c, "address", seal.TokenRealAddress)
	if err != nil {
		return threading.Address{}, err
	}
	list, err := s.o.Store.Addresses(c, m.ID)
	if err != nil {
		return threading.Address{}, err
	}
	for _, a := range list {
		if a.ID == id {
			return a, nil
		}
	}
	return threading.Address{}, problemf(errNotFound, "The member has no such address.")
}

// changeAddress makes an address the primary one, or lets mail go to it again.
func (s *Server) changeAddress(c *call) (any, error) {
	var b struct {
		Primary bool `json:"primary"`
		Works   bool `json:"works"`
	}
	if err := c.read(&b); err != nil {
		return nil, err
	}
	a, err := s.address(c)
	if err == nil && b.Primary {
		err = s.o.Store.SetPrimary(c, a.MemberID, a.Real)
	}
	if err == nil && b.Works {
		err = s.o.Store.AddressWorks(c, a.MemberID, a.ID)
	}
	if err == nil {
		a, err = s.address(c)
	}
	return s.addressView(a), err
}

func (s *Server) removeAddress(c *call) (any, error) {
	a, err := s.address(c)
	if err == nil {
		err = s.o.Store.RemoveAddress(c, a.MemberID, a.Real)
	}
	if errors.Is(err, store.ErrPrimary) {
		err = problemf(errConflict, "It is the primary address: make another one primary first.")
	}
	return nil, err
}

// handles remembers the handles of members, for one answer.
type handles struct {
	s    *Server
	seen map[threading.ID]*string
}

func (s *Server) handles() *handles { return &handles{s: s, seen: map[threading.ID]*string{}} }

// of is a member's handle; nil for the platform and for a former member.
func (h *handles) of(c *call, id threading.ID) (*string, error) {
	if name, ok := h.seen[id]; ok {
		return name, nil
	}
	m, err := h.s.o.Store.Member(c, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	var name *string
	if m.Handle != "" {
		name = &m.Handle
	}
	h.seen[id] = name
	return name, nil
}

// path is a path of the API with names in it.
func path(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}
