package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/config"
)

const guide = "../../docs/admin.md"

// Words in the guide that stand for what the reader puts there.
var placeholders = strings.NewReplacer("`", "", "\"", "")

// Every command in the administrator's guide is one of this program's, with
// all its flags, and every key that it names is one of the configuration's.
func TestTheGuideNamesWhatThereIs(t *testing.T) {
	b, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	seen := 0
	for _, m := range regexp.MustCompile("(?m)(?:`|^sudo -u stagedoor |\\| sudo -u stagedoor |exec stagedoor |\\* stagedoor )stagedoor ([a-z][^`\n|<>&]*)").FindAllStringSubmatch(text, -1) {
		words := strings.Fields(placeholders.Replace(quotedWords.ReplaceAllString(m[1], "X")))
		runnable(t, guide, words)
		seen++
	}
	if seen < 20 {
		t.Errorf("only %d commands were found in %s", seen, guide)
	}

	keys := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.]+)` ").FindAllStringSubmatch(string(config.Reference()), -1) {
		keys[m[1]] = true
	}
	sections := regexp.MustCompile("`((?:smtp|tls|http|dns|outbound|limits|log|metrics|storage|dkim)\\.[a-z_]+)[` ]")
	for _, m := range sections.FindAllStringSubmatch(text, -1) {
		if !keys[m[1]] {
			t.Errorf("%s names %s, which is no key of the configuration", guide, m[1])
		}
	}
	if len(keys) < 30 {
		t.Errorf("only %d keys were found in the reference", len(keys))
	}
}

var quotedWords = regexp.MustCompile(`"[^"]*"|\$\([^)]*\)`)

// The configurations that the guide shows are good.
func TestTheGuidesConfigurations(t *testing.T) {
	b, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	parts := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(string(b), -1)
	if len(parts) != 2 {
		t.Fatalf("%d configurations in %s", len(parts), guide)
	}
	path := t.TempDir() + "/relay.toml"
	if err := os.WriteFile(path, []byte(parts[0][1]+parts[1][1]), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if warnings := cfg.Warnings(); len(warnings) != 0 {
		t.Errorf("it warns: %q", warnings)
	}
}
