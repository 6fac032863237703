package wire

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

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
