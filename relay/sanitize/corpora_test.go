package sanitize

import (
	"bytes"
	"io/fs"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// corpora is a folder of messages of many projects, beside the repository.
const corpora = "../../../shared/corpora"

// TestCorpora passes every message there through Rewrite and Check as if its
// author were the member: each is relayed clean or refused. Of a hundred
// replies, 99.5 keep every word of their new text, and nobody loses a word
// that is not next to an identifier.
func TestCorpora(t *testing.T) {
	if _, err := os.Stat(corpora); err != nil {
		t.Skip("no corpora beside this repository")
	}
	if testing.Short() {
		t.Skip("thousands of messages")
	}
	relayed, replies, changed, refused := 0, 0, 0, map[string]int{}
	err := filepath.WalkDir(corpora, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil || len(raw) > 5<<20 {
			return err
		}
		if !looksLikeMail(path) {
			if raw = asMessage(path, raw); raw == nil {
				return nil
			}
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
		id.Hosts = res.Hosts
		before, after := shownTexts(t, raw), shownTexts(t, append(append(bytes.Clone(res.MIMEFields), "\r\n"...), out.Bytes()...))
		if word := farWordLost(before, after, compile(&id)); word != "" {
			t.Errorf("%s: %q is lost, far from any identifier", path, word)
		}
		if !isReply(raw, before) {
			return nil
		}
		replies++
		if lost := newWordsLost(before, after); lost != "" {
			changed++
			t.Logf("%s: new text is changed: %q", path, lost)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	t.Logf("%d relayed; of %d replies, %d had new text changed", relayed, replies, changed)
	if replies < 500 || changed*1000 > replies*5 {
		t.Errorf("new text is changed in %d of %d replies", changed, replies)
	}
	for why, n := range refused {
		t.Logf("%d refused: %s", n, why)
	}
}

// isReply reports whether a message answers another: by its header, or by
// what it quotes.
func isReply(raw []byte, texts []string) bool {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err == nil {
		subject := strings.ToLower(msg.Header.Get("Subject"))
		if msg.Header.Get("In-Reply-To") != "" || msg.Header.Get("References") != "" || strings.HasPrefix(subject, "re:") || strings.HasPrefix(subject, "aw:") || strings.HasPrefix(subject, "sv:") {
			return true
		}
	}
	for _, s := range texts {
		for _, l := range classify(s) {
			if l.kind != lineNew {
				return true
			}
		}
	}
	return false
}

// shownTexts are the texts that a reader of a message sees, in order: plain,
// and the visible text of HTML.
func shownTexts(t *testing.T, raw []byte) []string {
	rw := &rewriter{o: Options{Typed: TypedAllow}, id: compile(&Identity{Name: "x"})}
	src := memSource(raw)
	root, err := index(src, rw)
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	var walk func(p *part)
	walk = func(p *part) {
		for _, c := range p.children {
			walk(c)
		}
		if p.kind != "text/plain" && p.kind != "text/html" || strings.HasPrefix(p.head.get("content-disposition"), "attachment") {
			return
		}
		s, err := rw.text(p, src)
		if err != nil {
			t.Fatal(err)
		}
		if p.kind == "text/html" {
			doc := readHTML(s)
			b := []byte(doc.flow)
			for _, k := range doc.texts {
				if tok := doc.tokens[k]; tok.hidden != 0 {
					copy(b[tok.flow:], strings.Repeat(" ", len(tok.text)))
				}
			}
			s = string(b)
		}
		texts = append(texts, s)
	}
	walk(root)
	return texts
}

// newWordsLost returns the first new line of the texts whose words don't stand
// in the texts after, in their order and together.
func newWordsLost(before, after []string) string {
	var all strings.Builder
	for _, s := range after {
		all.WriteString(" " + strings.Join(strings.Fields(s), " ") + " ")
	}
	for _, s := range before {
		if strings.Contains(s, "-----BEGIN PGP") {
			continue // the armour goes, and with it the lines around
		}
		for _, l := range classify(s) {
			if automaticLine(s[l.start:l.end]) {
				continue // a program's, not typed
			}
			if line := strings.Join(strings.Fields(s[l.start:l.end]), " "); l.kind == lineNew && !strings.Contains(all.String(), line) {
				return line
			}
		}
	}
	return ""
}

// farWordLost returns a word, new or quoted, that is not in the texts after as
// often as before, although no identifier stands in it or next to it.
func farWordLost(before, after []string, id *identity) string {
	count := map[string]int{}
	for _, s := range after {
		for w := range strings.FieldsSeq(s) {
			count[w]++
		}
	}
	for _, s := range before {
		if strings.Contains(s, "-----BEGIN PGP") {
			continue
		}
		at := 0
		for _, m := range append(id.find(s), match{start: len(s), end: len(s)}) {
			far := s[at:max(at, m.start)]
			if m.start < len(s) { // all but the word that the match is in, and the one before it
				far = far[:strings.LastIndexFunc(strings.TrimRightFunc(far, notSpace), notSpace)+1]
				far = strings.TrimRightFunc(far, notSpace)
			}
			if at > 0 {
				far = strings.TrimLeftFunc(far, notSpace)
				far = strings.TrimLeftFunc(strings.TrimSpace(far), notSpace)
			}
			for w := range strings.FieldsSeq(far) {
				if count[w]--; count[w] < 0 {
					return w
				}
			}
			at = m.end
		}
	}
	return ""
}

func notSpace(r rune) bool { return !unicode.IsSpace(r) }

// asMessage makes a message of a body that stands in a file alone; whoever it
// names first is its author. It returns nil for other files.
func asMessage(path string, body []byte) []byte {
	kind := map[string]string{".txt": "text/plain", ".html": "text/html"}[filepath.Ext(path)]
	if kind == "" || filepath.Base(filepath.Dir(path)) == "labels" {
		return nil
	}
	author := anyAddress.Find(body)
	if author == nil {
		author = []byte("nobody@example.net")
	}
	return append([]byte("From: <"+string(author)+">\r\nIn-Reply-To: <x@example.net>\r\nContent-Type: "+kind+"\r\n\r\n"), body...)
}

var anyAddress = regexp.MustCompile(`[A-Za-z0-9._+-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]*[A-Za-z0-9]`)

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
