package wire

import (
	"bufio"
	"flag"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// update rewrites the dialogs to what the server answers: look at every line
// that changed.
var update = flag.Bool("update", false, "rewrite testdata/*.txt to what the server answers")

// TestDialogs runs testdata/*.txt: what the client sends ("C: "; "C1: ", "C2: "
// for several connections) and what the server answers ("S: "), line by line.
// "..." in an answer stands for anything; <UIDVALIDITY>, <MAILBOXID>, <EMAILID> and
// <THREADID> in a command for what the client was told of last; "deliver FILE"
// files a message; "with quota N" bounds what the mailboxes may hold.
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
			lines := strings.Split(string(text), "\n")
			d := &dialog{house: newHouseWith(t, storeOptions(t, lines)), peers: map[string]*peer{}}
			if *update {
				if err := os.WriteFile(f, []byte(strings.Join(d.rewrite(lines), "\n")), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for i, line := range lines {
				d.line(i+1, line)
			}
		})
	}
}

// storeOptions are what a dialog's lines beginning with "with" ask for.
func storeOptions(t *testing.T, lines []string) (o store.Options) {
	for _, line := range lines {
		if quota, ok := strings.CutPrefix(line, "with quota "); ok {
			n, err := strconv.ParseInt(quota, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			o.Quota = n
		}
	}
	return o
}

type dialog struct {
	*house
	peers map[string]*peer
}

type peer struct {
	net.Conn
	*bufio.Reader
	told map[string]string // what commands refer to, by name
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
		p = &peer{c, bufio.NewReader(c), map[string]string{}}
		d.peers[name] = p
	}
	return p
}

func (d *dialog) line(n int, line string) {
	d.Helper()
	if line == "" || line[0] == '#' || strings.HasPrefix(line, "with ") {
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
		for name, value := range p.told {
			text = strings.ReplaceAll(text, "<"+name+">", value)
		}
		if _, err := p.Write([]byte(text + "\r\n")); err != nil {
			d.Fatalf("line %d: %v", n, err)
		}
		return
	}
	if got := d.hears(p, n, text); !fits(got, text) {
		d.Fatalf("line %d:\n got %q\nwant %q", n, got, text)
	}
}

func (d *dialog) hears(p *peer, n int, want string) string {
	d.Helper()
	got, err := p.ReadString('\n')
	if err != nil {
		d.Fatalf("line %d: want %q: %v (got %q)", n, want, err, got)
	}
	for _, m := range told.FindAllStringSubmatch(got, -1) {
		p.told[m[1]] = m[2]
	}
	return strings.TrimRight(got, "\r\n")
}

// told are what later commands refer to.
var told = regexp.MustCompile(`(UIDVALIDITY|MAILBOXID|EMAILID|THREADID) \(?(\w+)`)

func fits(got, want string) bool {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`, ".*") + "$").MatchString(got)
}

// changing is what differs from run to run.
var changing = regexp.MustCompile(`((?:MAILBOXID|EMAILID|THREADID) \(|UIDVALIDITY |COPYUID |APPENDUID )\w+`)

// rewrite runs the dialog and puts in place of a block of answers what came
// until the tagged one, or as many lines as there were if it has none.
func (d *dialog) rewrite(lines []string) (out []string) {
	tagged := regexp.MustCompile(`^S\w*: [\w.]+ (OK|NO|BAD)`)
	for i := 0; i < len(lines); {
		if !strings.HasPrefix(lines[i], "S") {
			d.line(i+1, lines[i])
			out = append(out, lines[i])
			i++
			continue
		}
		end := i
		who, _, _ := strings.Cut(lines[i], ":")
		for end < len(lines) && strings.HasPrefix(lines[end], who+":") && (end == i || !tagged.MatchString(lines[end-1])) {
			end++
		}
		block, last := lines[i:end], lines[end-1]
		i = end
		for n := 0; n < len(block) || tagged.MatchString(last); n++ {
			got := who + ": " + d.hears(d.peer(who[1:]), i, last)
			for _, old := range block { // what stood for anything still does
				if fits(got, old) {
					got = old
					break
				}
			}
			out = append(out, changing.ReplaceAllString(got, "$1..."))
			if tagged.MatchString(last) && tagged.MatchString(got) {
				break
			}
		}
	}
	return out
}
