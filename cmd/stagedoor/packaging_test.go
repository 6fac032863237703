package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/config"
)

const packagingDir = "../../packaging"

func packaged(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(packagingDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// runnable checks that a command line is one of this program's, with all its
// flags.
func runnable(t *testing.T, from string, words []string) {
	t.Helper()
	cmd, rest, err := newRootCommand().Find(words)
	if err != nil {
		t.Errorf("%s: %q: %v", from, words, err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: %q: %v", from, words, err)
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil || !cmd.Runnable() || cmd.HasSubCommands() {
		t.Errorf("%s: %q is not a whole command: %v", from, words, err)
	}
}

// The unit runs a command that there is, as a user that is made, where the
// defaults keep the data, and is confined.
func TestSystemdUnit(t *testing.T) {
	settings := map[string]string{}
	section := ""
	for line := range strings.Lines(packaged(t, "stagedoor.service")) {
		line = strings.TrimSpace(line)
		key, value, ok := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case !ok || section == "":
			t.Errorf("not a setting: %q", line)
		default:
			settings[section+"."+key] = value
		}
	}
	words := strings.Fields(settings["Service.ExecStart"])
	if len(words) == 0 || words[0] != "stagedoor" {
		t.Fatalf("ExecStart=%q", words)
	}
	runnable(t, "ExecStart", words[1:])
	if at := slices.Index(words, "--config"); at < 0 || words[at+1] != systemConfig {
		t.Errorf("ExecStart=%q reads another file than %s", words, systemConfig)
	}
	if user := settings["Service.User"]; !strings.Contains(packaged(t, "sysusers.conf"), "\nu "+user+" ") {
		t.Errorf("sysusers.conf makes no user %q", user)
	}
	if state := "/var/lib/" + settings["Service.StateDirectory"]; filepath.Dir(config.Default().Storage.Path()) != state || settings["Service.WorkingDirectory"] != state {
		t.Errorf("the data is not in the StateDirectory, %s", state)
	}
	for _, key := range []string{"NoNewPrivileges", "ProtectHome", "PrivateDevices", "ProtectKernelModules", "MemoryDenyWriteExecute", "RestrictNamespaces"} {
		if settings["Service."+key] != "yes" {
			t.Errorf("%s=%s", key, settings["Service."+key])
		}
	}
	if settings["Service.ProtectSystem"] != "strict" || settings["Service.CapabilityBoundingSet"] != "CAP_NET_BIND_SERVICE" {
		t.Error("the unit may write to the system, or has capabilities that it does not need")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	// 20 is 2.0 of 10, which it calls OK.
	out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", filepath.Join(packagingDir, "stagedoor.service")).CombinedOutput()
	if err != nil && !strings.Contains(string(out), "unrecognized option") {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// What the package is made of is there, and its scripts are scripts.
func TestPackageNamesFilesThatExist(t *testing.T) {
	text := packaged(t, "nfpm.yaml")
	sources := regexp.MustCompile(`(?m)^\s+- src: (\S+)$`).FindAllStringSubmatch(text, -1)
	scripts := regexp.MustCompile(`(?m)^  (?:pre|post)\w+: (\S+)$`).FindAllStringSubmatch(text, -1)
	if len(sources) < 5 || len(scripts) != 3 {
		t.Fatalf("%d files and %d scripts are named", len(sources), len(scripts))
	}
	for _, m := range append(sources, scripts...) {
		if m[1] == "dist/stagedoor" {
			continue // it is built for the package
		}
		if st, err := os.Stat(filepath.Join("../..", m[1])); err != nil || !st.Mode().IsRegular() {
			t.Errorf("%s is not a file of the repository (%v)", m[1], err)
		}
	}
	for _, m := range scripts {
		path := filepath.Join("../..", m[1])
		if out, err := exec.Command("sh", "-n", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", m[1], err, out)
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm()&0o111 == 0 {
			t.Errorf("%s can't be run: mode %v (%v)", m[1], st.Mode(), err)
		}
	}
	if strings.Contains(text, "\t") {
		t.Error("YAML has no tabs")
	}
}

// The container copies files that exist, is built by the Go version that the
// module asks for, opens the default ports and runs a command that there is.
func TestContainerfile(t *testing.T) {
	text := packaged(t, "Containerfile")
	find := func(pattern string) [][]string {
		found := regexp.MustCompile("(?m)"+pattern).FindAllStringSubmatch(text, -1)
		if found == nil {
			t.Errorf("nothing matches %s", pattern)
		}
		return found
	}
	for _, m := range find(`^COPY ([^-].*) \S+$`) {
		for source := range strings.FieldsSeq(m[1]) {
			if _, err := os.Stat(filepath.Join("../..", source)); err != nil {
				t.Errorf("COPY %s: %v", source, err)
			}
		}
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range find(`golang:([0-9.]+) AS build`) {
		if !strings.Contains(string(module), "\ngo "+m[1]) {
			t.Errorf("go.mod asks for another Go than %s", m[1])
		}
	}
	for _, m := range find(`^CMD \[(.*)\]$`) {
		var words []string
		for word := range strings.SplitSeq(m[1], ", ") {
			word, err := strconv.Unquote(word)
			if err != nil {
				t.Fatal(err)
			}
			words = append(words, word)
		}
		runnable(t, "CMD", words)
	}
	c := config.Default()
	for _, m := range find(`^EXPOSE (.*)$`) {
		open := strings.Fields(m[1])
		for _, address := range slices.Concat(c.SMTP.Listen, c.Submission.Listen, c.Submission.ListenTLS, c.IMAP.Listen, c.IMAP.ListenTLS, c.HTTP.Listen) {
			_, port, _ := strings.Cut(address, ":")
			if !slices.Contains(open, port) {
				t.Errorf("port %s is not exposed", port)
			}
		}
	}
	for _, m := range find(`podman exec stagedoor stagedoor (.*)$`) {
		runnable(t, "the example", strings.Fields(m[1]))
	}
}
