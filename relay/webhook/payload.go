package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// secretPrefix is how Standard Webhooks writes a secret for people.
const secretPrefix = "whsec_"

// NewSecret makes a secret for a webhook.
func NewSecret() []byte {
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand, since Go 1.24)
	return secret
}

// ShowSecret is a secret as the platform is told it, once.
func ShowSecret(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// sign is the signature of a payload: HMAC-SHA256 over ID, time and body.
func sign(secret []byte, id, at string, body []byte) string {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(id + "." + at + "."))
	m.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// envelope is what is sent.
type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // of the event
	Data      any       `json:"data"`
}

// messageFiled is the data of message.filed.
type messageFiled struct {
	Message    string  `json:"message"`
	Thread     string  `json:"thread"`
	Member     *string `json:"member"` // who got it; null: a former member
	From       *string `json:"from"`   // null: the platform, or a former member
	Production *string `json:"production"`
	Role       *string `json:"role"`
	Alerts     string  `json:"alerts"` // how the member is told of it by mail
}

// reportMade is the data of report.made.
type reportMade struct {
	Report   string  `json:"report"`
	Thread   string  `json:"thread"`
	Reporter *string `json:"reporter"`
	Other    *string `json:"other"` // who wrote the message
	Via      string  `json:"via"`
}

// addressFailed is the data of address.failed.
type addressFailed struct {
	Member  *string `json:"member"`
	Address string  `json:"address"` // its ID
	Reason  string  `json:"reason"`
}

func (s *Sender) token(id threading.ID) string {
	return s.o.Store.Keyring().Token(seal.TokenEvent, id)
}

func (w *worker) hookToken() string {
	return w.o.Store.Keyring().Token(seal.TokenWebhook, w.hook.ID)
}

// payload writes an event. A member who left meanwhile is not named any more.
func (s *Sender) payload(ctx context.Context, e threading.WebhookEvent) ([]byte, error) {
	keys := s.o.Store.Keyring()
	member, err := s.handle(ctx, e.MemberID)
	if err != nil {
		return nil, err
	}
	other, err := s.handle(ctx, e.OtherID)
	if err != nil {
		return nil, err
	}
	out := envelope{Timestamp: e.CreatedAt.UTC()}
	if names := e.Kind.Names(); len(names) == 1 {
		out.Type = names[0]
	}
	switch e.Kind {
	case threading.EventMessage:
		v, err := s.o.Store.Thread(ctx, e.ThreadID)
		if err != nil {
			return nil, fmt.Errorf("read the thread: %w", err)
		}
		out.Data = messageFiled{
			Message: keys.Token(seal.TokenMessage, e.RefID), Thread: keys.Token(seal.TokenThread, e.ThreadID), Member: member, From: other,
			Production: orNil(v.Production.Slug), Role: orNil(v.Role.Slug), Alerts: e.Detail,
		}
	case threading.EventReport:
		out.Data = reportMade{Report: keys.Token(seal.TokenItem, e.RefID), Thread: keys.Token(seal.TokenThread, e.ThreadID), Reporter: member, Other: other, Via: e.Detail}
	case threading.EventBounce:
		out.Data = addressFailed{Member: member, Address: keys.Token(seal.TokenRealAddress, e.RefID), Reason: e.Detail}
	}
	return json.Marshal(out)
}

// handle is a member's handle; nil for the platform and for a former member.
func (s *Sender) handle(ctx context.Context, id threading.ID) (*string, error) {
	m, err := s.o.Store.Member(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return orNil(m.Handle), err
}

// orNil is a name as JSON shows it: null for none.
func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
