package wire

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stagedoor/stagedoor/imapd"
	"github.com/stagedoor/stagedoor/threading"
)

// alarm is a log that keeps errors: nothing that a client does is one.
type alarm struct {
	mu   sync.Mutex
	text []string
}

func (a *alarm) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (a *alarm) WithAttrs([]slog.Attr) slog.Handler           { return a }
func (a *alarm) WithGroup(string) slog.Handler                { return a }
func (a *alarm) Handle(_ context.Context, r slog.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := r.Message
	r.Attrs(func(x slog.Attr) bool { text += " " + x.String(); return true })
	a.text = append(a.text, text)
	return nil
}

// taken returns what was kept, and forgets it.
func (a *alarm) taken() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := strings.Join(a.text, "\n")
	a.text = nil
	return text
}

// FuzzSession sends whatever there is to a session with a mailbox open. Each
// connection ends, and nothing panics or is logged as this server's fault. Each
// input has a member of its own: it finds what every other finds.
//
// Run it with -fuzzminimizetime=1x. What a database and several goroutines run
// differs from time to time, so that many an input looks new, and go test would
// spend a minute on making each of them smaller.
func FuzzSession(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		f.Fatal("no dialogs", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		var said []byte
		for line := range strings.SplitSeq(string(text), "\n") {
			if _, command, ok := strings.Cut(line, ": "); ok && line[0] == 'C' {
				said = append(append(said, command...), "\r\n"...)
			}
		}
		f.Add(said)
	}
	f.Add([]byte("a APPEND INBOX {10}\r\n"))
	f.Add([]byte("a FETCH 1 (BODY[HEADER.FIELDS (\"a\"]\r\n"))
	f.Add([]byte("a SEARCH OR OR OR (NOT (1:* UID *:1)) $\r\n"))
	log := &alarm{}
	h := newHouse(f, func(o *Options, i *imapd.Options) {
		o.Logger, i.Logger = slog.New(log), slog.New(log)
		i.Bearer = func(_ context.Context, token string) (string, error) { return token, nil } // a password costs 20 ms
	})
	var letters []string
	for _, letter := range []string{"letter.eml", "nested.eml", "letter.eml"} {
		raw, err := os.ReadFile(filepath.Join("testdata", letter))
		if err != nil {
			f.Fatal(err)
		}
		letters = append(letters, string(raw))
	}
	runs := 0
	f.Fuzz(func(t *testing.T, said []byte) {
		runs++
		handle := fmt.Sprintf("m%d", runs)
		member, err := h.store.AddMember(t.Context(), threading.Member{Handle: handle, Name: "M"}, []string{handle + "@mail.example"})
		if err != nil {
			t.Fatal(err)
		}
		own := &house{TB: t, store: h.store, tess: member}
		for _, raw := range letters {
			own.deliver("INBOX", raw)
		}
		client, server := net.Pipe()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			h.srv.serveConn(server, false)
		}()
		heard := make(chan []byte, 1)
		go func() {
			text, _ := io.ReadAll(client)
			heard <- text
		}()
		_ = client.SetWriteDeadline(time.Now().Add(20 * time.Second))
		token := base64.StdEncoding.EncodeToString([]byte("n,,\x01auth=Bearer " + handle + "\x01\x01"))
		_, _ = client.Write([]byte("a AUTHENTICATE OAUTHBEARER " + token + "\r\na SELECT INBOX\r\n"))
		_, _ = client.Write(said)
		_, _ = client.Write([]byte("\r\nDONE\r\nzz LOGOUT\r\n"))
		_ = client.Close() // a literal may have swallowed LOGOUT
		text := <-heard
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("the connection doesn't end")
		}
		if wrong := log.taken(); wrong != "" {
			t.Error(wrong)
		}
		if !bytes.HasPrefix(text, []byte("* OK [CAPABILITY ")) {
			t.Errorf("the greeting is %.40q", text)
		}
		if !bytes.Contains(text, []byte("\r\n* 3 EXISTS\r\n")) {
			t.Errorf("the mailbox was not opened: %.200q", text)
		}
	})
}

// FuzzMailboxName: a name that is understood is the same after it was told to a
// client and comes back.
func FuzzMailboxName(f *testing.F) {
	for _, s := range []string{"INBOX", "W&APw-nsche", "&-", "&", "a&b", "&AGE-", "&2D0-", "&2D3cAA-", "Bühne/&", "&Jjo!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := decodeMailbox(s, false)
		if err != nil {
			return
		}
		if !utf8.ValidString(name) {
			t.Fatalf("%q is understood as %q", s, name)
		}
		told := encodeMailbox(name)
		if again, err := decodeMailbox(told, false); err != nil || again != name {
			t.Errorf("%q is told as %q and comes back as %q, %v", name, told, again, err)
		}
	})
}

// FuzzNumbers: a set is read or refused, and as it was written in order it is
// the same.
func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"1", "1:*", "*", "4,2:3", "4294967295", "0", "1:", ",", "$", "1,2,3,7:9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := newReader(strings.NewReader(s + "\r\n"))
		r.begin(maxCommand)
		var nums []uint32
		last := uint32(0)
		r.ranges(func(a, b uint32) {
			if a > last && b >= a && b-a < 1000 && len(nums) < 10000 {
				for n := uint64(a); n <= uint64(b); n++ {
					nums = append(nums, uint32(n))
				}
				last = b
			}
		})
		if r.err != nil || len(nums) == 0 {
			return
		}
		var again []uint32
		r = newReader(bytes.NewReader(append(appendSet(nil, nums), "\r\n"...)))
		r.begin(maxCommand)
		r.ranges(func(a, b uint32) {
			for n := uint64(a); n <= uint64(b); n++ {
				again = append(again, uint32(n))
			}
		})
		if r.err != nil || len(again) != len(nums) {
			t.Errorf("%v is written as %s: %v", nums, appendSet(nil, nums), r.err)
		}
	})
}
