package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading/store"
)

// A backup of a daemon that 32 connections write to holds every message that
// was answered with 250 before it began, and one that is killed leaves no file
// that could be taken for a backup.
func TestBackupOfABusyDaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a daemon of its own")
	}
	in := newInstallation(t)
	in.run("tess-secret\n", "member", "add", "tess", "--name", "Tess Talent", "--address", "tess@tess.example", "--password-stdin")
	in.run("", "member", "set", "tess", "--alerts", "never")
	in.run("", "member", "add", "sam", "--name", "Sam Casting", "--address", "sam@sam.example")
	in.start()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var accepted, unanswered sync.Map
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() { sendUntilDown(ctx, in.mx, &next, &accepted, &unanswered) })
	}
	answered := func() (subjects []string) {
		accepted.Range(func(subject, _ any) bool {
			subjects = append(subjects, subject.(string))
			return true
		})
		return subjects
	}
	for len(answered()) < 100 && ctx.Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	killed := 0
	for i := range 5 {
		file := filepath.Join(in.dir, "killed"+string(rune('0'+i)))
		if !killBackup(t, in, file) {
			continue // it was faster
		}
		killed++
		if _, err := os.Stat(file); err == nil {
			if _, err := store.Restore(ctx, store.RestoreOptions{DSN: "sqlite:" + file + ".restored", File: file}); err != nil {
				t.Errorf("a backup that was killed left a file that is none: %v", err)
			}
		}
	}
	must := answered()
	file := filepath.Join(in.dir, "busy.backup")
	in.run("", "backup", file)
	in.kill()
	wg.Wait()

	in.run("", "restore", file, "--force")
	in.start()
	got := in.subjects("tess", "tess-secret")
	for _, subject := range must {
		if got[subject] != 1 {
			t.Errorf("%s was answered with 250 before the backup and is %d times in the restored INBOX", subject, got[subject])
		}
	}
	t.Logf("%d accepted before the backup, %d in it; %d backups killed", len(must), len(got), killed)
}

// killBackup kills a backup as soon as it writes; false: it was done by then.
func killBackup(t *testing.T, in *installation, file string) bool {
	t.Helper()
	cmd := exec.Command("stagedoor", "backup", file, "--config", in.config)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("backup: %v", err)
			}
			return false
		default:
		}
		if st, err := os.Stat(file + ".partial"); err == nil && st.Size() > 0 {
			_ = cmd.Process.Signal(syscall.SIGKILL)
			return <-ended != nil
		}
	}
}
