package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/threading"
)

const apiGuide = "../../docs/api.md"

// apiDaemon is a daemon with an API, on loopback.
func apiDaemon(t *testing.T, change func(*config.Config)) (d *daemon, base string) {
	t.Helper()
	cfg, err := config.Dev("msg.example.com")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cfg.Storage = config.Storage{DSN: "sqlite:" + filepath.Join(dir, "stagedoor.db"), KeyFile: filepath.Join(dir, "secret.key"), TempDir: filepath.Join(dir, "tmp")}
	cfg.DKIM.KeyFile, cfg.HTTP.APITokenFile, cfg.HTTP.BaseURL = filepath.Join(dir, "dkim.pem"), filepath.Join(dir, "api.token"), ""
	cfg.Outbound.Smarthost = "smtp://127.0.0.1:9"
	for _, list := range [][]string{cfg.SMTP.Listen, cfg.Submission.Listen, cfg.Submission.ListenTLS, cfg.IMAP.Listen, cfg.IMAP.ListenTLS, cfg.HTTP.Listen} {
		for i := range list {
			list[i] = "127.0.0.1:0"
		}
	}
	if err := os.WriteFile(cfg.HTTP.APITokenFile, []byte(apiToken+"\nanother-token-that-is-good\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(cfg)
	}
	d, err = newDaemon(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopTime)
		defer cancel()
		if err := d.stop(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := d.start(); err != nil {
		t.Fatal(err)
	}
	return d, "http://" + d.bound.http[0]
}

const apiToken = "a-token-of-32-characters-or-more"

// What docs/api.md says to type is typed, and answered as it says.
func TestTheAPIGuide(t *testing.T) {
	for _, tool := range []string{"curl", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	text, err := os.ReadFile(apiGuide)
	if err != nil {
		t.Fatal(err)
	}
	d, base := apiDaemon(t, nil)
	if _, err := d.open.AddMember(t.Context(), threading.Member{Handle: "sam", Name: "Sam"}, []string{"sam@agency.example"}); err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```(?:\\s*```json\n(.*?)```)?").FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 9 {
		t.Fatalf("only %d examples were found", len(blocks))
	}
	for _, b := range blocks {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := exec.CommandContext(ctx, "bash", "-euc", b[1])
		cmd.Env = append(os.Environ(), "BASE="+base, "TOKEN="+apiToken)
		var out, problems bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problems
		err := cmd.Run()
		cancel()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", b[1], err, problems.String())
		}
		got, want := documents(t, out.String()), documents(t, b[2])
		if b[2] != "" && len(got) != len(want) {
			t.Errorf("%s\nanswers %d documents, want %d:\n%s", b[1], len(got), len(want), out.String())
			continue
		}
		for i := range want {
			if diff := differs("", got[i], want[i]); diff != "" {
				t.Errorf("%s\n%s\n%s", b[1], diff, out.String())
			}
		}
	}
}

// documents reads JSON documents one after another.
func documents(t *testing.T, text string) (list []any) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(text)); ; {
		var v any
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		list = append(list, v)
	}
}

// differs says in what an answer differs from an example, in which … is any
// text.
func differs(at string, got, want any) string {
	switch w := want.(type) {
	case string:
		if s, ok := got.(string); ok && (w == "…" && s != "" || s == w) {
			return ""
		}
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			break
		}
		for name := range w {
			if diff := differs(at+"/"+name, g[name], w[name]); diff != "" {
				return diff
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			if diff := differs(fmt.Sprint(at, "/", i), g[i], w[i]); diff != "" {
				return diff
			}
		}
		return ""
	default:
		if got == want {
			return ""
		}
	}
	return fmt.Sprintf("%s is %v, and the page says %v", at, got, want)
}
