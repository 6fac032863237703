package sanitize

import (
	"bytes"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpora is a folder of messages of many projects, beside the repository.
const corpora = "../../../shared/corpora"

// TestCorpora passes every message there through Rewrite and Check as if its
// author were the member: each is relayed clean or refused.
func TestCorpora(t *testing.T) {
	if _, err := os.Stat(corpora); err != nil {
		t.Skip("no corpora beside this repository")
	}
	if testing.Short() {
		t.Skip("thousands of messages")
	}
	relayed, refused := 0, map[string]int{}
	var lines, lost int // of new text
	filepath.WalkDir(corpora, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || !looksLikeMail(path) {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) > 5<<20 {
			return err
		}
		id := Identity{Name: "Jane Roe", RelayDomain: "msg.example.com", RelayURL: "https://msg.example.com"}
		if msg, err := mail.ReadMessage(bytes.NewReader(raw)); err == nil {
			if list, err := msg.Header.AddressList("From"); err == nil {
				id.Addresses = []string{list[0].Address}
			}
		}
		var out bytes.Buffer
		res, err := Rewrite(&out, bytes.NewReader(raw), Options{Identity: id, Domain: "msg.example.com"})
		if isRefusal(err) {
			refused[err.Error()]++
			return nil
		} else if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		id.Hosts = res.Hosts
		if err := Check(append([]byte("Subject: "+res.Subject+"\r\n"), res.MIMEFields...), bytes.NewReader(out.Bytes()), id, TypedAllow); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if err := canonical(out.Bytes()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		relayed++
		n, l := newTextLost(t, raw, out.Bytes(), res)
		if l > 0 && testing.Verbose() {
			t.Logf("%s: %d of %d new lines changed", path, l, n)
		}
		lines, lost = lines+n, lost+l
		return nil
	})
	if t.Logf("%d of %d new lines of plain messages changed", lost, lines); lost > lines/200 {
		t.Errorf("new text is changed: %d of %d lines", lost, lines)
	}
	t.Logf("%d relayed", relayed)
	for why, n := range refused {
		t.Logf("%d refused: %s", n, why)
	}
}

// newTextLost counts the new lines of a message of one plain text, and those
// of them that the rebuilt message has not.
func newTextLost(t *testing.T, raw, out []byte, res Result) (lines, lost int) {
	rw := &rewriter{}
	root, err := index(memSource(raw), rw)
	if err != nil || root.kind != "text/plain" {
		return 0, 0
	}
	before, err := rw.text(root, memSource(raw))
	if err != nil {
		t.Fatal(err)
	}
	again := append(append([]byte(nil), res.MIMEFields...), "\r\n"...)
	again = append(again, out...)
	newRoot, err := index(memSource(again), rw)
	if err != nil {
		t.Fatal(err)
	}
	after, err := rw.text(newRoot, memSource(again))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range classify(before) {
		if line := before[l.start:l.end]; l.kind == lineNew && line != "" {
			if lines++; !strings.Contains(after, line) {
				lost++
			}
		}
	}
	return lines, lost
}

func looksLikeMail(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".eml", ".msg", ".mbox", ".email", ".mail":
		return true
	case ".txt", "":
		f, err := os.Open(path)
		if err != nil {
			return false
		}
		defer f.Close()
		head := make([]byte, 4096)
		n, _ := f.Read(head)
		return bytes.Contains(head[:n], []byte("\nSubject:")) || bytes.Contains(head[:n], []byte("\nFrom:"))
	}
	return false
}
