package login

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/stagedoor/stagedoor/threading/seal"
)

// exchange runs SCRAM-SHA-256 with a client library.
func exchange(t *testing.T, a *Authenticator, name, password string, b Binding) error {
	t.Helper()
	client, err := scram.SHA256.NewClient(name, password, "")
	if err != nil {
		t.Fatal(err)
	}
	conv := client.NewConversation()
	if b.Plus {
		for name, data := range b.Channels {
			conv = client.NewConversationWithChannelBinding(scram.ChannelBinding{Type: scram.ChannelBindingType(name), Data: data})
		}
	}
	first, err := conv.Step("")
	if err != nil {
		t.Fatal(err)
	}
	x, answer, err := a.BeginScram(context.Background(), first, b, here)
	if err != nil {
		return err
	}
	final, err := conv.Step(answer)
	if err != nil {
		t.Fatal(err)
	}
	m, last, err := x.Finish(context.Background(), final)
	if err != nil {
		return err
	}
	if _, err := conv.Step(last); err != nil || !conv.Valid() || m.Handle != "tess" {
		t.Errorf("the client does not believe the server: %v", err)
	}
	return nil
}

func TestScram(t *testing.T) {
	a, st, m := newAuthenticator(t)
	var passwords []string
	for _, label := range []string{"Phone", "Laptop"} {
		password, verifier := seal.NewAppPassword(seal.ScramSalt(st.Keyring(), "tess"))
		if err := st.AddAppPassword(context.Background(), m.ID, label, verifier); err != nil {
			t.Fatal(err)
		}
		passwords = append(passwords, password)
	}
	exporter := Binding{Channels: map[string][]byte{"tls-exporter": []byte("of this connection")}, Plus: true}
	endPoint := Binding{Channels: map[string][]byte{"tls-server-end-point": []byte("of this server")}, Plus: true}
	for _, p := range passwords {
		if err := exchange(t, a, "tess@msg.example.com", p, Binding{}); err != nil {
			t.Errorf("%q: %v", p, err)
		}
		for _, b := range []Binding{exporter, endPoint} {
			if err := exchange(t, a, "Tess", p, b); err != nil {
				t.Errorf("%q, bound: %v", p, err)
			}
		}
	}
	for what, c := range map[string][2]string{"wrong": {"tess", "aaaa-bbbb-cccc-dddd"}, "the chosen password": {"tess", "break-a-leg"}, "nobody": {"nobody", passwords[0]}} {
		if err := exchange(t, a, c[0], c[1], Binding{}); !errors.Is(err, ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// An answer tells nothing of whether the name exists, and nobody in between
// can take the binding away.
func TestScramTellsNothing(t *testing.T) {
	a, _, _ := newAuthenticator(t)
	ctx := context.Background()
	salt := func(name string) string {
		_, answer, err := a.BeginScram(ctx, "n,,n="+name+",r=0123456789", Binding{}, here)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(answer, ",")[1]
	}
	if once, again := salt("nobody"), salt("nobody"); once != again || salt("tess") != salt("TESS") || salt("tess") == salt("nobody") {
		t.Error("a name's salt changes, or two names share one")
	}
	channels := map[string][]byte{"tls-exporter": []byte("x"), "tls-server-end-point": []byte("y")}
	bound := Binding{Channels: channels}
	for first, b := range map[string]Binding{
		"y,,n=tess,r=0123456789": bound, "p=tls-exporter,,n=tess,r=0123456789": {}, "p=tls-unique,,n=tess,r=0123456789": {Channels: channels, Plus: true},
		"n,,n=tess,r=0123456780": {Channels: channels, Plus: true}, "p=,,n=tess,r=0123456789": {Channels: channels, Plus: true},
		"n,a=sam,n=tess,r=0123456789": {}, "n,,n=tess,r=": {}, "n,,r=0123456789": {}, "": {}, "n,,m=x,n=tess,r=0123456789": {}, strings.Repeat("n", 5000): {},
	} {
		if _, _, err := a.BeginScram(ctx, first, b, here); !errors.Is(err, ErrDenied) {
			t.Errorf("%.40q: %v", first, err)
		}
	}
}
