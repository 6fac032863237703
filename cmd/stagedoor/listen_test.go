package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/config"
)

// The socket of a daemon that was killed is in nobody's way; one that is in
// use, or no socket at all, is left alone.
func TestUnixSockets(t *testing.T) {
	cfg := config.Default()
	path := filepath.Join(t.TempDir(), "lmtp.sock")
	first, err := listen(cfg, "lmtp.listen", "unix:"+path)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o660 {
		t.Errorf("mode %v (%v), want 0660: others must not write to it", st.Mode(), err)
	}
	if _, err := listen(cfg, "lmtp.listen", "unix:"+path); err == nil || !strings.Contains(err.Error(), "lmtp.listen: another program listens on ") {
		t.Errorf("a second listener: %v", err)
	}
	first.(*net.UnixListener).SetUnlinkOnClose(false) // as a kill leaves it
	_ = first.Close()
	second, err := listen(cfg, "lmtp.listen", "unix:"+path)
	if err != nil {
		t.Fatalf("after a kill: %v", err)
	}
	_ = second.Close()

	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listen(cfg, "lmtp.listen", "unix:"+path); err == nil || !strings.Contains(err.Error(), "is not a socket") {
		t.Errorf("over a file: %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "mine" {
		t.Errorf("the file is %q (%v)", b, err)
	}
	if _, err := listen(cfg, "lmtp.listen", "unix:"+filepath.Join(path+".d", "x")); err == nil || !strings.Contains(err.Error(), "no such directory") {
		t.Errorf("in no directory: %v", err)
	}
}

// Root does not leave files where the daemon's own user could not use them.
func TestRootKeepsOutOfAnotherUsersFiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("takes root to give files away")
	}
	const nobody = 65534
	dir := t.TempDir()
	private := filepath.Join(dir, "private")
	if err := os.Mkdir(private, 0o700); err != nil {
		t.Fatal(err)
	}
	database := filepath.Join(private, "stagedoor.db")
	if err := checkOwner(database); err != nil {
		t.Errorf("in root's own directory: %v", err)
	}
	if err := os.Chown(private, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := checkOwner(database); err == nil || !strings.Contains(err.Error(), "sudo -u") {
		t.Errorf("in another's directory: %v", err)
	}
	if err := os.WriteFile(database, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkOwner(database); err != nil {
		t.Errorf("root's own file: %v", err)
	}
	if err := os.Chown(database, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	if err := checkOwner(database); err == nil {
		t.Error("another's file is opened")
	}
}
