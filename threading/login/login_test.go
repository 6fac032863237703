package login

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// An app password opens the mailbox and not the account.
func TestVerifyOwn(t *testing.T) {
	a, st, m := newAuthenticator(t)
	ctx := context.Background()
	app, verifier := seal.NewAppPassword(seal.ScramSalt(st.Keyring(), m.Handle))
	if err := st.AddAppPassword(ctx, m.ID, "Phone", verifier); err != nil {
		t.Fatal(err)
	}
	for range 2 { // also when it was verified before
		if _, err := a.Verify(ctx, "tess", app, here); err != nil {
			t.Errorf("Verify: %v", err)
		}
		if _, err := a.VerifyOwn(ctx, "tess", app, here); !errors.Is(err, ErrDenied) {
			t.Errorf("VerifyOwn takes an app password: %v", err)
		}
		if _, err := a.VerifyOwn(ctx, "tess", "break-a-leg", here); err != nil {
			t.Errorf("VerifyOwn: %v", err)
		}
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

// An app password opens as it was shown, or as people type it.
func TestAppPassword(t *testing.T) {
	a, st, m := newAuthenticator(t)
	ctx := context.Background()
	password, verifier := seal.NewAppPassword(seal.ScramSalt(st.Keyring(), "tess"))
	if err := st.AddAppPassword(ctx, m.ID, "Phone", verifier); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{password, strings.ToUpper(strings.ReplaceAll(password, "-", ""))} {
		if got, err := a.Verify(ctx, "tess", p, here); err != nil || got.ID != m.ID {
			t.Errorf("%q: %v", p, err)
		}
	}
	list, err := st.Credentials(ctx, m.ID)
	if err != nil || len(list) != 2 || list[1].LastUsedAt.IsZero() {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := st.RemoveAppPassword(ctx, m.ID, list[1].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Verify(ctx, "tess", password, here); !errors.Is(err, ErrDenied) {
		t.Errorf("after it was removed: %v", err)
	}
	if err := st.RemoveAppPassword(ctx, m.ID, list[0].ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the chosen password is removed as an app password: %v", err)
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
	_, err := st.ChangeMember(ctx, "tess", func(m *threading.Member) error {
		m.Status = threading.MemberSuspended
		return nil
	})
	if err != nil {
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
		a.remember(m.ID, "v", strconv.Itoa(i))
		a.failed("name " + strconv.Itoa(i))
	}
	if len(a.remembered) > maxRemembered || len(a.penalties) > maxPenalties {
		t.Errorf("%d remembered, %d penalties", len(a.remembered), len(a.penalties))
	}
}

// A client's connections that come at the same time cost one verification.
func TestManyAtOnceVerifyOnce(t *testing.T) {
	a, _, _ := newAuthenticator(t)
	verified := countVerifications(a)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if _, err := a.Verify(context.Background(), "tess", "break-a-leg", here); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// As many as run at a time may have begun before the first was done.
	if n := verified.Load(); n > maxVerifications {
		t.Errorf("100 at once cost %d verifications", n)
	}
}

// Whether a name exists can't be told from the time an answer takes: that
// time is a verification's.
func TestUnknownNamesTakeAsLong(t *testing.T) {
	a, st, _ := newAuthenticator(t)
	if _, err := st.AddMember(context.Background(), threading.Member{Handle: "sam", Name: "Sam"}, []string{"sam@mail.example"}); err != nil {
		t.Fatal(err)
	}
	verified := countVerifications(a)
	for _, name := range []string{"tess", "nobody", "sam", "tess@other.example", strings.Repeat("x", 5000)} {
		before := verified.Load()
		if _, err := a.Verify(context.Background(), name, "wrong", here); !errors.Is(err, ErrDenied) {
			t.Fatal(err)
		}
		if n := verified.Load() - before; n != 1 {
			t.Errorf("%.20s costs %d verifications", name, n)
		}
		clear(a.penalties)
	}
}

// countVerifications counts what is compared from now on.
func countVerifications(a *Authenticator) *atomic.Int64 {
	var n atomic.Int64
	fits := a.fits
	a.fits = func(verifier, password string) bool {
		n.Add(1)
		return fits(verifier, password)
	}
	return &n
}

// Names that can't be a member's share one note, however long they are.
func TestImpossibleNamesAreOne(t *testing.T) {
	a, _, _ := newAuthenticator(t)
	for _, name := range []string{"a@other.example", "b@elsewhere.example", strings.Repeat("x", 50000)} {
		if handle, known := a.handle(name); known || handle != "" {
			t.Errorf("%.20q is taken for %q", name, handle)
		}
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
