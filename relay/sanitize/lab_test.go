package sanitize

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// lab is a folder of crafted replies and a scanner, beside the repository.
const lab = "../../../shared/lab"

// TestLab sends replies in which mail programs give their writer away through
// Rewrite and Check, and lets a scanner written apart from both look for what
// is left.
func TestLab(t *testing.T) {
	if _, err := os.Stat(lab); err != nil {
		t.Skip("no lab beside this repository")
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	in, out := t.TempDir(), t.TempDir()
	if msg, err := exec.Command(python, filepath.Join(lab, "leakcases.py"), in).CombinedOutput(); err != nil {
		t.Fatalf("leakcases.py: %v: %s", err, msg)
	}
	files, _ := filepath.Glob(filepath.Join(in, "*.eml"))
	if len(files) < 30 {
		t.Fatalf("only %d cases", len(files))
	}
	o := Options{
		Identity: Identity{
			Name: "Jane Roe", Addresses: []string{"jane.roe@realmail.example", "jroe@work.example"},
			RelayDomain: "msg.example.com", RelayURL: "https://msg.example.com",
		},
		Typed: TypedAllow, Domain: "msg.example.com", Rand: zeros{}, Preface: "About: Ophelia in Hamlet",
	}
	scan := []string{filepath.Join(lab, "leakscan.py"), "jane.roe@realmail.example,jroe@work.example,@realmail.example,192.0.2.77,laptop.home,t-k3x9qdm2w7@msg.example.com"}
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".eml")
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		res, err := Rewrite(&body, bytes.NewReader(raw), o)
		var r *RefusedError
		if errors.As(err, &r) {
			t.Errorf("%s: refused: %s", name, r.Reason)
			continue
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		header := append([]byte("Subject: "+res.Subject+"\r\n"), res.MIMEFields...)
		id := o.Identity
		id.Hosts = res.Hosts
		if err := Check(header, bytes.NewReader(body.Bytes()), id, o.Typed); err != nil {
			t.Errorf("%s: %v\n%s", name, err, body.String())
		}
		if strings.HasPrefix(name, "typed-") {
			if !bytes.Contains(body.Bytes(), []byte("Write to me directly: jane.roe@realmail.example\r\n")) {
				t.Errorf("%s: what was typed is changed:\n%s", name, body.String())
			}
			continue
		}
		path := filepath.Join(out, name+".eml")
		if err := os.WriteFile(path, append(append(header, "\r\n"...), body.Bytes()...), 0o600); err != nil {
			t.Fatal(err)
		}
		scan = append(scan, path)
	}
	if msg, err := exec.Command(python, scan...).CombinedOutput(); err != nil {
		t.Errorf("leakscan.py: %v\n%s", err, msg)
	}
	if dir := os.Getenv("SANITIZE_KEEP"); dir != "" {
		if err := os.CopyFS(dir, os.DirFS(out)); err != nil {
			t.Log(err)
		}
	}
}
