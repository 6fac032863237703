package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// In tests, `stagedoor` on the command line is this test binary.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stagedoor": main})
}

// The scripts in testdata/script are the specification of the command line.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"freeports":  freePorts,
			"await":      await,
			"capture":    capture,
			"envsubst":   envSubst,
			"nameserver": nameServer,
			"replace":    replace,
			"sleep":      sleep,
			"signal":     signalAll,
		},
	})
}

// exits STATUS COMMAND...: the command must end with that exit status.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND...")
	}
	want := args[0]
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = regexp.MustCompile(`\d+$`).FindString(err.Error())
	}
	if got != want {
		ts.Fatalf("exit status %s, want %s", got, want)
	}
}

// freeports NAME...: sets each variable to a loopback address that is free.
func freePorts(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		addr, err := freeLoopback()
		ts.Check(err)
		ts.Setenv(name, addr)
	}
}

// await URL STATUS: waits until the URL answers so.
func await(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: await URL STATUS")
	}
	client := http.Client{Timeout: time.Second}
	var last string
	for range 200 {
		res, err := client.Get(args[0])
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if last = fmt.Sprint(res.StatusCode); last == args[1] {
				return
			}
		} else {
			last = err.Error()
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("%s: %s, want %s", args[0], last, args[1])
}

// capture NAME PATTERN: sets the variable to the pattern's first group in the
// last command's standard output.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: capture NAME PATTERN")
	}
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if len(m) < 2 {
		ts.Fatalf("%s: not in the output", args[1])
	}
	ts.Setenv(args[0], m[1])
}

// envsubst FILE...: replaces $NAME in the files.
func envSubst(ts *testscript.TestScript, _ bool, files []string) {
	for _, f := range files {
		text := os.Expand(ts.ReadFile(f), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(f), []byte(text), 0o600))
	}
}

// replace OLD NEW FILE: replaces text in a file; it must be there.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("usage: replace OLD NEW FILE")
	}
	text := ts.ReadFile(args[2])
	if !strings.Contains(text, args[0]) {
		ts.Fatalf("%q is not in %s", args[0], args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(strings.ReplaceAll(text, args[0], args[1])), 0o600))
}

// sleep DURATION.
func sleep(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: sleep DURATION")
	}
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	time.Sleep(d)
}

// signal HUP|TERM: sends the signal to what runs in the background.
func signalAll(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM}
	if len(args) != 1 || signals[args[0]] == nil {
		ts.Fatalf("usage: signal HUP|TERM")
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(signals[args[0]]))
	}
}
