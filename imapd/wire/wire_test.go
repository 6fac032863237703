package wire

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"regexp"
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

func newHouse(t testing.TB) *house {
	t.Helper()
	ctx := context.Background()
	keys, err := seal.New(bytes.Repeat([]byte{5}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(ctx, store.Options{DSN: "sqlite:" + filepath.Join(t.TempDir(), "t.db"), Keyring: keys, IDs: threading.NewIDSource()})
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
	h.srv = New(Options{InsecureAuth: true, IMAP: imapd.New(imapd.Options{
		Store: st, Login: login.New(login.Options{Store: st, Domain: "msg.example.com"}), MaxMessageSize: 1 << 20,
	})})
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

// TestDialogs runs testdata/*.txt: what the client sends ("C: "; "C1: ", "C2: "
// for several connections) and what the server answers ("S: "), line by line.
// "..." in an answer stands for anything; "deliver FILE" files a message.
func TestDialogs(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no dialogs", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			d := &dialog{house: newHouse(t), peers: map[string]*peer{}}
			for i, line := range strings.Split(string(text), "\n") {
				d.line(i+1, line)
			}
		})
	}
}

type dialog struct {
	*house
	peers map[string]*peer
}

type peer struct {
	net.Conn
	*bufio.Reader
}

func (d *dialog) peer(name string) *peer {
	p := d.peers[name]
	if p == nil {
		c, err := net.Dial("tcp", d.addr)
		if err != nil {
			d.Fatal(err)
		}
		d.Cleanup(func() { _ = c.Close() })
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		p = &peer{c, bufio.NewReader(c)}
		d.peers[name] = p
	}
	return p
}

func (d *dialog) line(n int, line string) {
	d.Helper()
	if line == "" || line[0] == '#' {
		return
	}
	if file, ok := strings.CutPrefix(line, "deliver "); ok {
		raw, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			d.Fatal(err)
		}
		d.deliver("INBOX", string(raw))
		return
	}
	who, text, ok := strings.Cut(line, ":")
	if !ok || who == "" {
		d.Fatalf("line %d: what is %q?", n, line)
	}
	text = strings.TrimPrefix(text, " ")
	p := d.peer(who[1:])
	if who[0] == 'C' {
		if _, err := p.Write([]byte(text + "\r\n")); err != nil {
			d.Fatalf("line %d: %v", n, err)
		}
		return
	}
	got, err := p.ReadString('\n')
	if err != nil {
		d.Fatalf("line %d: want %q: %v (got %q)", n, text, err, got)
	}
	got = strings.TrimRight(got, "\r\n")
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(text), `\.\.\.`, ".*") + "$"
	if !regexp.MustCompile(pattern).MatchString(got) {
		d.Fatalf("line %d:\n got %q\nwant %q", n, got, text)
	}
}
