package outbound

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// crashLease is how soon rows of a killed worker come back in this test.
const crashLease = 2 * time.Second

// TestCrashingWorker is the process that TestKill9 kills.
func TestCrashingWorker(t *testing.T) {
	dir, addr := os.Getenv("STAGEDOOR_CRASH_DIR"), os.Getenv("STAGEDOOR_CRASH_SINK")
	if dir == "" {
		t.Skip("run by TestKill9")
	}
	keys, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t}
	if s.Store, err = store.Open(t.Context(), store.Options{DSN: "sqlite:" + filepath.Join(dir, "s.db"), Keyring: keys, IDs: threading.NewIDSource()}); err != nil {
		t.Fatal(err)
	}
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + addr}, Lease: crashLease, Signer: newRing(t).Signer()}))
	select {} // until it is killed
}

// TestKill9 kills the worker in the middle of deliveries, again and again. No
// message is lost, and one is sent twice only if its row was still in the queue
// when the worker died: the server had it, or would have it, and the worker did
// not know yet.
func TestKill9(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const messages, kills = 150, 4
	s := newSite(t)
	sink := newSink(t, func(s *sink) { s.slow, s.allSlow = 20*time.Millisecond, true })
	want := map[string]int{} // how often each recipient gets its message
	to := map[threading.ID]string{}
	var all []threading.Member
	for i := range messages {
		m := s.member(fmt.Sprintf("m%d", i), fmt.Sprintf("m%d@mail.example", i))
		all = append(all, m)
		to[m.ID] = fmt.Sprintf("m%d@mail.example", i)
		want[to[m.ID]] = 1
	}
	s.writeAll(all, "Hello\r\n")
	for round := range kills + 1 {
		worker := exec.Command(os.Args[0], "-test.run=^TestCrashingWorker$")
		worker.Env = append(os.Environ(), "STAGEDOOR_CRASH_DIR="+s.dir, "STAGEDOOR_CRASH_SINK="+sink.addr())
		if err := worker.Start(); err != nil {
			t.Fatal(err)
		}
		before := sink.count()
		if round < kills {
			sink.messages(t, before+20)
		} else {
			s.rows("empty", empty)
		}
		_ = worker.Process.Kill()
		_ = worker.Wait()
		sink.quiesce(t)
		left, err := s.Queue(t.Context(), 2*messages)
		if err != nil {
			t.Fatal(err)
		}
		waits, sent := map[string]bool{}, map[string]bool{}
		for _, r := range left {
			waits[to[r.MemberID]] = true
		}
		got := sink.messages(t, 0)
		for _, m := range got[before:] {
			if waits[m.to] && !sent[m.to] {
				want[m.to]++
			}
			sent[m.to] = true
		}
		for _, m := range got[:before] {
			sent[m.to] = true
		}
		for to := range want {
			if !waits[to] && !sent[to] {
				t.Errorf("after kill %d the message to %s is neither sent nor in the queue", round+1, to)
			}
		}
	}
	count, twice := map[string]int{}, 0
	for _, m := range sink.messages(t, messages) {
		count[m.to]++
	}
	for to, n := range want {
		if count[to] != n {
			t.Errorf("%s got its message %d times, want %d", to, count[to], n)
		}
		twice += n - 1
	}
	t.Logf("%d messages, %d kills, %d sent once more", messages, kills, twice)
}

// TestDownForHours: a destination that can't be reached for six hours while
// mail for it comes in. It is tried seldom, each late message is told of once,
// and in the end all arrive, each once.
func TestDownForHours(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tries.Add(1)
			_ = c.Close()
		}
	}()
	var late atomic.Int64
	tess := s.member("tess", "tess@mail.example")
	s.run(s.queue(Options{Smarthost: Route{URL: "smtp://" + l.Addr().String()}, Observe: func(class, _ string, _ time.Duration) {
		if class == "delayed" {
			late.Add(1)
		}
	}}))
	const steps = 36
	for i := range steps { // ten minutes each
		s.write(tess, fmt.Sprintf("message %d\r\n", i))
		s.rows("waiting", func(r []store.Delivery) bool { return len(r) == i+1 && s.waiting(r) })
		s.ahead.Add(int64(10 * time.Minute))
	}
	if n := tries.Load(); n > 2*steps {
		t.Errorf("%d connections in six hours", n)
	}
	rows := s.rows("told why", func(r []store.Delivery) bool { return len(r) == steps })
	reasons := map[string]int{}
	for _, r := range rows {
		reasons[r.LastError]++
	}
	if reasons["greeting: the connection was closed"]+reasons["not tried, the destination is down: greeting: the connection was closed"] != steps ||
		reasons["not tried, the destination is down: greeting: the connection was closed"] == 0 {
		t.Errorf("they wait because of %v", reasons)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = net.Listen("tcp", addr); err != nil {
		t.Fatal(err)
	}
	sink := serveSink(t, l, nil)
	s.ahead.Add(int64(5 * time.Hour))
	s.write(tess, "the last\r\n")
	s.rows("empty", empty)
	seen := map[string]int{}
	for _, m := range sink.messages(t, steps+1) {
		_, body, _ := bytes.Cut(m.raw, []byte("\r\n\r\n"))
		line, _, _ := strings.Cut(string(body), "\r\n")
		seen[line]++
	}
	if len(seen) != steps+1 || sink.count() != steps+1 {
		t.Errorf("%d messages came, %d different ones, want %d", sink.count(), len(seen), steps+1)
	}
	if n := late.Load(); n == 0 || n > steps {
		t.Errorf("%d are told of as late", n)
	}
	if n := int64(strings.Count(s.logged(), "delayed: it is still tried")); n != late.Load() {
		t.Errorf("%d lines of the log say so, and %d were counted", n, late.Load())
	}
}
