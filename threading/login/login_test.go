package login

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

var here = netip.MustParseAddr("192.0.2.1")

func newAuthenticator(t *testing.T) (*Authenticator, *store.Store, threading.Member) {
	keys, err := seal.New(bytes.Repeat([]byte{3}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{DSN: "sqlite:" + filepath.Join(t.TempDir(), "t.db"), Keyring: keys, IDs: threading.NewIDSource()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	m, err := st.AddMember(ctx, threading.Member{Handle: "tess", Name: "Tess"}, []string{"tess@mail.example"})
	if err != nil {
		t.Fatal(err)
	}
	setPassword(t, st, m, "break-a-leg")
	return New(Options{Store: st, Domain: "msg.example.com"}), st, m
}

func setPassword(t *testing.T, st *store.Store, m threading.Member, password string) {
	t.Helper()
	err := st.SetCredential(context.Background(), threading.Credential{MemberID: m.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: seal.NewVerifier(password)})
	if err != nil {
		t.Fatal(err)
	}
}

func TestVerify(t *testing.T) {
	a, _, m := newAuthenticator(t)
	for _, c := range []struct {
		name, password string
		want           error
	}{
		{"tess", "break-a-leg", nil},
		{"TESS", "break-a-leg", nil},
		{"tess@msg.example.com", "break-a-leg", nil},
		{"Tess@MSG.example.com", "break-a-leg", nil},
		{"tess@other.example", "break-a-leg", ErrDenied},
		{"tess@mail.example", "break-a-leg", ErrDenied},
		{"tess", "break-a-le", ErrDenied},
		{"tess", "", ErrDenied},
		{"nobody", "break-a-leg", ErrDenied},
		{"", "", ErrDenied},
	} {
		got, err := a.Verify(context.Background(), c.name, c.password, here)
		if !errors.Is(err, c.want) || (err == nil) != (got.ID == m.ID) {
			t.Errorf("Verify(%q, %q) = %v, %v; want %v", c.name, c.password, got.ID, err, c.want)
		}
	}
}

func TestARememberedPasswordIsForgottenWhenItChanges(t *testing.T) {
	a, st, m := newAuthenticator(t)
	ctx := context.Background()
	if _, err := a.Verify(ctx, "tess", "break-a-leg", here); err != nil {
		t.Fatal(err)
	}
	if len(a.remembered) != 1 {
		t.Fatalf("%d remembered", len(a.remembered))
	}
	setPassword(t, st, m, "another-one")
	if _, err := a.Verify(ctx, "tess", "break-a-leg", here); !errors.Is(err, ErrDenied) {
		t.Errorf("the old password: %v", err)
	}
	if _, err := a.Verify(ctx, "tess", "another-one", here); err != nil {
		t.Errorf("the new password: %v", err)
	}
	m.Status = threading.MemberSuspended
	if err := st.UpdateMember(ctx, m); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verify(ctx, "tess", "another-one", here); !errors.Is(err, ErrDenied) {
		t.Errorf("a suspended member: %v", err)
	}
}

func TestWrongPasswordsSlowDownAndNeverLockOut(t *testing.T) {
	a, _, _ := newAuthenticator(t)
	now := time.Now()
	a.o.Now = func() time.Time { return now }
	for range freeFailures + 3 {
		a.failed("ip 192.0.2.1", "name tess")
	}
	if d := a.delay("ip 192.0.2.1"); d != 400*time.Millisecond {
		t.Errorf("delay %v", d)
	}
	for range 1000 {
		a.failed("name tess")
	}
	if d := a.delay("name tess"); d != maxDelay {
		t.Errorf("delay %v, want at most %v", d, maxDelay)
	}
	now = now.Add(penaltyFor + time.Second)
	if d := a.delay("name tess"); d != 0 {
		t.Errorf("delay %v after a while", d)
	}
	if source(netip.MustParseAddr("2001:db8::1")) != source(netip.MustParseAddr("2001:db8::2")) {
		t.Error("one IPv6 network has two counters")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	a, _, m := newAuthenticator(t)
	for i := range maxRemembered + 50 {
		a.remember(m.ID, "v", string(rune(i)))
		a.failed("name " + string(rune(i)))
	}
	if len(a.remembered) > maxRemembered || len(a.penalties) > maxPenalties {
		t.Errorf("%d remembered, %d penalties", len(a.remembered), len(a.penalties))
	}
}

func BenchmarkVerifyAgain(b *testing.B) {
	keys, _ := seal.New(bytes.Repeat([]byte{3}, seal.KeySize))
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{DSN: "sqlite:" + filepath.Join(b.TempDir(), "t.db"), Keyring: keys, IDs: threading.NewIDSource()})
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	m, err := st.AddMember(ctx, threading.Member{Handle: "tess", Name: "Tess"}, []string{"tess@mail.example"})
	if err != nil {
		b.Fatal(err)
	}
	if err := st.SetCredential(ctx, threading.Credential{MemberID: m.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: seal.NewVerifier("break-a-leg")}); err != nil {
		b.Fatal(err)
	}
	a := New(Options{Store: st, Domain: "msg.example.com"})
	for b.Loop() {
		if _, err := a.Verify(ctx, "tess", "break-a-leg", here); err != nil {
			b.Fatal(err)
		}
	}
}
