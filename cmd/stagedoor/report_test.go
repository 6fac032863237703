package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/threading"
)

// The operator reads a report with its conversation, resolves it, and every
// look is noted.
func TestReports(t *testing.T) {
	file := filepath.Join(t.TempDir(), "relay.toml")
	if err := os.WriteFile(file, []byte("domain = \"msg.test\"\n[storage]\ndsn = \"sqlite:s.db\"\nkey_file = \"k\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(stdin string, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if status := run(append(args, "--config", file), strings.NewReader(stdin), &out, &errs); status != exitDone {
			t.Fatalf("%v: exit status %d: %s", args, status, &errs)
		}
		return out.String()
	}
	command("", "member", "add", "tess", "--name", "Tess", "--address", "tess@tess.example")
	command("", "member", "add", "sam", "--name", "Sam", "--address", "sam@sam.example")
	command("Pay 200 first.\n", "contact", "--from", "sam", "--to", "tess", "--subject", "Audition")

	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	o, err := openStore(ctx, cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	tess, err1 := o.MemberByHandle(ctx, "tess")
	sam, err2 := o.MemberByHandle(ctx, "sam")
	threads, err3 := o.Store.Threads(ctx, threading.Thread{}, 1)
	if err1 != nil || err2 != nil || err3 != nil || len(threads) != 1 {
		t.Fatal(err1, err2, err3, len(threads))
	}
	if _, _, err := o.AddReport(ctx, threading.Report{ReporterID: tess.ID, OtherID: sam.ID, ThreadID: threads[0].Thread.ID, Via: threading.ReportPage, Reason: "wants money"}); err != nil {
		t.Fatal(err)
	}

	list := command("", "report", "list")
	id := regexp.MustCompile(`[a-z2-7]{26}`).FindString(list)
	if id == "" || !strings.Contains(list, "wants money") {
		t.Fatalf("report list:\n%s", list)
	}
	shown := command("", "report", "show", id)
	for _, want := range []string{"Pay 200 first.", "Audition   <- reported", "Written by:", "sam", "wants money"} {
		if !strings.Contains(shown, want) {
			t.Errorf("report show lacks %q:\n%s", want, shown)
		}
	}
	command("", "report", "resolve", id, "--note", "suspended")
	if got := command("", "report", "list"); strings.Contains(got, id) {
		t.Errorf("a resolved report is listed as open:\n%s", got)
	}
	if got := command("", "report", "list", "--all", "--json"); !strings.Contains(got, `"resolution": "suspended"`) {
		t.Errorf("report list --all:\n%s", got)
	}
	log := command("", "audit")
	if strings.Count(log, id) != 2 || !strings.Contains(log, "report show") || !strings.Contains(log, "report resolve") {
		t.Errorf("audit:\n%s", log)
	}
	for _, text := range []string{list, shown, log} {
		if strings.Contains(text, "sam.example") || strings.Contains(text, "tess.example") {
			t.Errorf("a real address is shown:\n%s", text)
		}
	}
}
