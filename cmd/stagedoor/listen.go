package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/stagedoor/stagedoor/config"
)

// socketMode lets the daemon's group connect to a Unix socket: the mail
// server in front is made a member of it. Others must not: whoever writes to
// the LMTP socket is believed.
const socketMode = 0o660

// listen binds one listen address of a key. The error says what to do.
func listen(cfg *config.Config, key, address string) (net.Listener, error) {
	network, addr := config.Listener(address)
	if network == "unix" {
		if err := removeStaleSocket(addr); err != nil {
			return nil, cfg.Problem(key, "%s", err)
		}
	}
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), network, addr)
	if err != nil {
		return nil, cfg.Problem(key, "can't listen on %s: %s", address, listenAdvice(err))
	}
	if network == "unix" {
		if err := os.Chmod(addr, socketMode); err != nil {
			_ = l.Close()
			return nil, cfg.Problem(key, "let the group use the socket: %s", err)
		}
	}
	return l, nil
}

// listenAdvice says what to do about an address that can't be bound.
func listenAdvice(err error) string {
	switch {
	case errors.Is(err, syscall.EACCES):
		return "permission denied: a port below 1024 needs root or CAP_NET_BIND_SERVICE, which packaging/stagedoor.service gives; or choose a higher port"
	case errors.Is(err, syscall.EADDRINUSE):
		return "another program listens there (ss -ltnp shows which): stop it, or choose another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address: write one that it has, or 0.0.0.0 for all"
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such directory: make it first"
	}
	return err.Error()
}

// removeStaleSocket removes the socket of a daemon that was killed. One that
// somebody still answers on is left alone.
func removeStaleSocket(path string) error {
	st, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the socket: %w", err)
	}
	if st.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("%s is there and is not a socket: remove it, or name another path", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("another program listens on %s: stop it, or name another path", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the socket that an earlier run left: %w", err)
	}
	return nil
}
