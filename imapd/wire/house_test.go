package wire

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/imapd"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/login"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// house is a server with a member, Tess, over a real store.
type house struct {
	testing.TB
	store *store.Store
	tess  threading.Member
	addr  string
	srv   *Server
}

// newHouse serves without TLS, unless configure says otherwise.
func newHouse(t testing.TB, configure ...func(*Options, *imapd.Options)) *house {
	t.Helper()
	return newHouseWith(t, store.Options{}, configure...)
}

// newHouseWith sets options of the store that are not the test's own.
func newHouseWith(t testing.TB, so store.Options, configure ...func(*Options, *imapd.Options)) *house {
	t.Helper()
	ctx := context.Background()
	keys, err := seal.New(bytes.Repeat([]byte{5}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	so.DSN, so.Keyring, so.IDs = "sqlite:"+filepath.Join(t.TempDir(), "t.db"), keys, threading.NewIDSource()
	st, err := store.Open(ctx, so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	h := &house{TB: t, store: st}
	if h.tess, err = st.AddMember(ctx, threading.Member{Handle: "tess", Name: "Tess"}, []string{"tess@mail.example"}); err != nil {
		t.Fatal(err)
	}
	if err := st.SetCredential(ctx, threading.Credential{MemberID: h.tess.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: seal.NewVerifier("secret-1")}); err != nil {
		t.Fatal(err)
	}
	o := Options{InsecureAuth: true}
	i := imapd.Options{Store: st, Login: login.New(login.Options{Store: st, Domain: "msg.example.com"}), MaxMessageSize: 1 << 20, SessionsPerMember: 1500}
	for _, c := range configure {
		c(&o, &i)
	}
	o.IMAP = imapd.New(i)
	h.srv = New(o)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- h.srv.Serve(l, false) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := h.srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return h
}

// deliver files a message in a mailbox, as another door would.
func (h *house) deliver(mailbox, raw string) {
	h.Helper()
	ctx := context.Background()
	raw = strings.ReplaceAll(raw, "\n", "\r\n")
	head, body, _ := strings.Cut(raw, "\r\n\r\n")
	header := []byte(head + "\r\n\r\n")
	c, err := mimetree.Read(header, strings.NewReader(body))
	if err != nil {
		h.Fatal(err)
	}
	w := h.store.NewBody(ctx)
	if _, err := w.Write([]byte(body)); err != nil {
		h.Fatal(err)
	}
	b, err := w.Finish()
	if err != nil {
		h.Fatal(err)
	}
	b.Content = c
	mb, err := h.store.Mailbox(ctx, h.tess.ID, mailbox)
	if err != nil {
		h.Fatal(err)
	}
	_, _, err = h.store.Append(ctx, h.tess.ID, mb.ID, store.NewItem{Header: header, Body: b, SavedAt: time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)})
	if err != nil {
		h.Fatal(err)
	}
}
