// Package dialog runs SMTP dialogs that stand in text files, over real sockets,
// against a pipeline with a real store. It is for the tests of the doors.
//
// A dialog's lines are: "C: " what the client sends (with CRLF), "R: " the same
// with Go escapes and without CRLF, "S: " a line that the server answers ("..."
// stands for anything), "TLS" the client's handshake, "EOF" the server closes,
// "INBOX handle n" how many messages a member has, "HAS handle text" that the
// newest of them holds a text (with Go escapes), "LACKS handle text" that it
// doesn't in any letter case, "HELD n" how many messages are held. "#" begins a comment. "$ALIAS" is the reply alias that Tess answers to,
// "$LONG" more octets than a line may have, "$40K" 40,960 octets.
package dialog

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/certs"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Domain is the domain of the stage's members.
const Domain = "msg.example.com"

// realAddresses are Sam's, Tess's and Otto's.
var realAddresses = []string{"sam.real@agency.example", "tess.real@mail.example", "otto@actor.example"}

// addresses finds what must never be logged: any e-mail address at all.
var addresses = regexp.MustCompile(`[^\s"<>=@]+@[\w.-]+\w`)

// Stage is a store with Sam, Tess and Otto, the role Ophelia in Sam's Hamlet,
// and a thread that Sam started with Tess.
type Stage struct {
	testing.TB
	Store    *store.Store
	Pipeline *relay.Pipeline
	Dir      string
	TLS      *tls.Config
	Alias    string
	Log      *Log
	Logger   *slog.Logger

	ahead atomic.Int64 // of the clock
}

// Now is the stage's time.
func (s *Stage) Now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// Advance lets time pass for the store and the pipeline.
func (s *Stage) Advance(d time.Duration) { s.ahead.Add(int64(d)) }

// Log keeps what was logged.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String is all that was logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// New sets the stage. change may alter the pipeline's options. When the test
// ends, the log must not show an e-mail address.
func New(t testing.TB, change func(*relay.Options)) *Stage {
	t.Helper()
	ctx := context.Background()
	s := &Stage{TB: t, Dir: t.TempDir(), Log: &Log{}}
	s.Logger = slog.New(slog.NewTextHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	keys, err := seal.New(bytes.Repeat([]byte{2}, seal.KeySize))
	s.must(err)
	s.Store, err = store.Open(ctx, store.Options{DSN: "sqlite:" + filepath.Join(s.Dir, "t.db"), Keyring: keys, IDs: threading.NewIDSourceAt(s.Now), Logger: s.Logger, Now: s.Now})
	s.must(err)
	t.Cleanup(func() {
		_ = s.Store.Close()
		for _, a := range addresses.FindAllString(s.Log.String(), -1) {
			t.Errorf("the log shows %s:\n%s", a, s.Log)
		}
	})
	members := map[string]threading.Member{}
	for i, handle := range []string{"sam", "tess", "otto"} {
		m, err := s.Store.AddMember(ctx, threading.Member{Handle: handle, Name: strings.ToUpper(handle[:1]) + handle[1:]}, realAddresses[i:i+1])
		s.must(err)
		s.must(s.Store.SetCredential(ctx, threading.Credential{MemberID: m.ID, Kind: threading.CredentialPassword, Label: "password", Verifier: seal.NewVerifier(handle + "-secret")}))
		members[handle] = m
	}
	p, err := s.Store.AddProduction(ctx, threading.Production{Slug: "hamlet", Title: "Hamlet", OwnerID: members["sam"].ID})
	s.must(err)
	_, err = s.Store.AddRole(ctx, threading.Role{ProductionID: p.ID, Slug: "ophelia", Title: "Ophelia"})
	s.must(err)
	o := relay.Options{Store: s.Store, Domain: Domain, Brand: "Backstage", Operator: "ops@operator.example", TempDir: s.Dir, Logger: s.Logger, Now: s.Now}
	if change != nil {
		change(&o)
	}
	s.Pipeline = relay.New(o)
	_, err = s.Pipeline.Contact(ctx, relay.ContactForm{Writer: members["sam"], To: members["tess"], Subject: "Callback", Text: "Tuesday?"})
	s.must(err)
	s.Alias = addressIn(s.Mailbox("tess", "INBOX")[0], "From")
	c, err := certs.New(certs.Options{SelfSignedDir: s.Dir, Names: []string{"mx." + Domain}})
	s.must(err)
	s.TLS = c.TLSConfig(false)
	return s
}

func (s *Stage) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func addressIn(header []byte, name string) string {
	v, _ := mimetree.Field(header, name)
	return strings.TrimSuffix(v[strings.LastIndexByte(v, '<')+1:], ">")
}

// Mailbox returns the header blocks of a member's mailbox, oldest first.
func (s *Stage) Mailbox(handle, name string) [][]byte {
	s.Helper()
	ctx := context.Background()
	m, err := s.Store.MemberByHandle(ctx, handle)
	s.must(err)
	mb, err := s.Store.Mailbox(ctx, m.ID, name)
	s.must(err)
	var headers [][]byte
	s.must(s.Store.Scan(ctx, m.ID, mb.ID, threading.UIDSet{{First: 1, Last: 1<<32 - 1}}, store.Want{Header: true}, func(x store.Scanned) error {
		headers = append(headers, x.Header)
		return nil
	}))
	return headers
}

// Newest returns the newest message of a member's INBOX as it is shown.
func (s *Stage) Newest(handle string) string {
	s.Helper()
	ctx := context.Background()
	m, err := s.Store.MemberByHandle(ctx, handle)
	s.must(err)
	mb, err := s.Store.Mailbox(ctx, m.ID, "INBOX")
	s.must(err)
	var newest threading.Entry
	s.must(s.Store.Entries(ctx, m.ID, mb.ID, threading.UIDSet{{First: 1, Last: 1<<32 - 1}}, func(e threading.Entry) error {
		newest = e
		return nil
	}))
	it, err := s.Store.Item(ctx, m.ID, newest.ItemID)
	s.must(err)
	r, err := s.Store.OpenBody(ctx, it.BodyID, 0, -1)
	s.must(err)
	defer r.Close()
	body, err := io.ReadAll(r)
	s.must(err)
	return string(it.Header) + string(body)
}

// Listen returns a loopback listener.
func (s *Stage) Listen() net.Listener {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	return l
}

// Run plays the dialogs that match the pattern, each on a stage of its own.
// open starts a server there and returns its address and how it is stopped.
func Run(t *testing.T, pattern string, open func(*Stage) (network, addr string, stop func())) {
	files, err := filepath.Glob(pattern)
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
			s := New(t, nil)
			network, addr, stop := open(s)
			defer stop()
			s.Play(network, addr, string(text))
		})
	}
}

// Play plays one dialog on a new connection.
func (s *Stage) Play(network, addr, text string) {
	s.Helper()
	c, err := net.Dial(network, addr)
	s.must(err)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	p := &player{Stage: s, conn: c, r: bufio.NewReader(c)}
	text = strings.NewReplacer("$ALIAS", s.Alias, "$LONG", strings.Repeat("x", 70<<10), "$40K", strings.Repeat("x", 40<<10)).Replace(text)
	for i, line := range strings.Split(text, "\n") {
		p.line(i+1, line)
	}
}

type player struct {
	*Stage
	conn net.Conn
	r    *bufio.Reader
}

func (p *player) line(n int, line string) {
	p.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	switch {
	case line == "" || line[0] == '#':
	case verb == "C:":
		p.send(n, rest+"\r\n")
	case verb == "R:":
		p.send(n, p.unescape(n, rest))
	case verb == "S:":
		p.expect(n, rest)
	case verb == "TLS":
		t := tls.Client(p.conn, &tls.Config{InsecureSkipVerify: true})
		if err := t.Handshake(); err != nil {
			p.Fatalf("line %d: %v", n, err)
		}
		p.conn, p.r = t, bufio.NewReader(t)
	case verb == "EOF":
		if rest, err := p.r.ReadString('\n'); err == nil {
			p.Fatalf("line %d: the server goes on with %q", n, rest)
		}
	case verb == "INBOX":
		handle, count, _ := strings.Cut(rest, " ")
		if got := len(p.Mailbox(handle, "INBOX")); strconv.Itoa(got) != count {
			p.Fatalf("line %d: %s has %d messages, want %s", n, handle, got, count)
		}
	case verb == "HAS":
		handle, text, _ := strings.Cut(rest, " ")
		if got := p.Newest(handle); !strings.Contains(got, p.unescape(n, text)) {
			p.Fatalf("line %d: %s does not have %s:\n%q", n, handle, text, got)
		}
	case verb == "LACKS":
		handle, text, _ := strings.Cut(rest, " ")
		if got := p.Newest(handle); strings.Contains(strings.ToLower(got), strings.ToLower(p.unescape(n, text))) {
			p.Fatalf("line %d: %s has %s:\n%q", n, handle, text, got)
		}
	case verb == "HELD":
		held, err := p.Store.HeldMessages(context.Background(), 100)
		p.must(err)
		if strconv.Itoa(len(held)) != rest {
			p.Fatalf("line %d: %d messages are held, want %s", n, len(held), rest)
		}
	default:
		p.Fatalf("line %d: what is %q?", n, line)
	}
}

func (p *player) unescape(n int, text string) string {
	p.Helper()
	text, err := strconv.Unquote(`"` + text + `"`)
	if err != nil {
		p.Fatalf("line %d: %v", n, err)
	}
	return text
}

func (p *player) send(n int, text string) {
	p.Helper()
	if _, err := p.conn.Write([]byte(text)); err != nil {
		p.Fatalf("line %d: %v", n, err)
	}
}

func (p *player) expect(n int, want string) {
	p.Helper()
	got, err := p.r.ReadString('\n')
	if err != nil {
		p.Fatalf("line %d: want %q: %v (got %q)", n, want, err, got)
	}
	got = strings.TrimRight(got, "\r\n")
	pattern := "^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`, ".*") + "$"
	if !regexp.MustCompile(pattern).MatchString(got) {
		p.Fatalf("line %d:\n got %q\nwant %q", n, got, want)
	}
}
