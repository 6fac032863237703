package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemd learns of readiness, reloads and the stop by sd_notify.
func TestSystemdIsTold(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	document := `domain = "msg.test"
storage.dsn = "sqlite:stagedoor.db"
storage.key_file = "secret.key"
smtp.listen = ["127.0.0.1:0"]
submission = { listen = [], listen_tls = [] }
imap = { listen = [], listen_tls = [] }
http.listen = []
`
	if err := os.WriteFile(filepath.Join(dir, "relay.toml"), []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("stagedoor", "serve")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+socket)
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	told := func(want string) {
		t.Helper()
		b := make([]byte, 1000)
		_ = l.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := l.Read(b)
		if err != nil || string(b[:n]) != want {
			t.Fatalf("systemd is told %q (%v), want %q", b[:n], err, want)
		}
	}
	told("READY=1")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	told("RELOADING=1")
	told("READY=1")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	told("STOPPING=1")
	if err := cmd.Wait(); err != nil {
		t.Errorf("serve: %v\n%s", err, log.String())
	}
}
