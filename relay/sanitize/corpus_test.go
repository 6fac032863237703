package sanitize

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// corpusTags reads the X-Corpus field of a message in testdata: which mail
// program, in which language, puts the writer's identifiers in which places.
func corpusTags(raw []byte) map[string]string {
	tags := map[string]string{}
	for pair := range strings.SplitSeq(rawField(raw, "X-Corpus"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		tags[name] = value
	}
	return tags
}

// cellsFile lists what the messages cover: a line for each mail program,
// language and place.
const cellsFile = goldens + "/cells.txt"

// TestCoverage: no message goes, and no cell with it, without a change here
// or in the list.
func TestCoverage(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(goldens, "*.eml"))
	if err != nil {
		t.Fatal(err)
	}
	replies := 0
	clients, languages, places := map[string]int{}, map[string]int{}, map[string]int{}
	cells := map[string]bool{}
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tags := corpusTags(raw)
		if tags["client"] == "" {
			continue
		}
		replies++
		clients[tags["client"]]++
		languages[tags["language"]]++
		for p := range strings.SplitSeq(tags["places"], ",") {
			places[p]++
			cells[tags["client"]+" "+tags["language"]+" "+p+"\n"] = true
		}
	}
	var list []string
	for c := range cells {
		list = append(list, c)
	}
	slices.Sort(list)
	got := []byte(strings.Join(list, ""))
	if *update {
		if err := os.WriteFile(cellsFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(cellsFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the messages cover other cells than %s lists:\n%s", cellsFile, got)
	}
	t.Logf("%d replies: %d mail programs, %d languages, %d places, %d cells", replies, len(clients), len(languages), len(places), len(list))
	if replies < 190 || len(clients) < 35 || len(languages) < 30 || len(places) < 80 || len(list) < 450 {
		t.Errorf("only %d replies, %d mail programs, %d languages, %d places, %d cells", replies, len(clients), len(languages), len(places), len(list))
	}
	for _, name := range strings.Fields("gmail outlook-windows outlook-web outlook-mac outlook-ios apple-mail iphone thunderbird yahoo samsung k9 protonmail gmx zoho yandex mailru roundcube zimbra") {
		if clients[name] == 0 {
			t.Errorf("no reply by %s is left", name)
		}
	}
	for _, name := range strings.Fields("ar bg cs da de el en es fi fr he hr hu it ja ko nb nl pl pt ro ru sk sv th tr tw uk vi zh") {
		if languages[name] < 3 {
			t.Errorf("only %d replies in %s are left", languages[name], name)
		}
	}
}

// TestCorpusIsClean: what was made of a message shows no identifier, but what
// its writer typed where that is allowed, and all that is new.
func TestCorpusIsClean(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(goldens, "*.want"))
	for _, f := range files {
		want, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, message, refused := strings.Cut(string(want), "refused: ")
		if !refused {
			message = string(want)
			if strings.HasPrefix(message, "repaired: ") {
				_, message, _ = strings.Cut(message, "\n")
			}
		}
		raw, err := os.ReadFile(strings.TrimSuffix(f, ".want") + ".eml")
		if err != nil {
			t.Fatal(err)
		}
		if tags := corpusTags(raw); tags["client"] == "" || slices.ContainsFunc(strings.Split(tags["places"], ","), func(p string) bool {
			return strings.HasPrefix(p, "typed") || p == "own-domain" || p == "signature-separator" || p == "alternatives-differ"
		}) {
			continue // TestGolden compares what is typed in them
		}
		if refused {
			if strings.Contains(message, "@") {
				t.Errorf("%s: the refusal shows an address: %s", f, message)
			}
			continue
		}
		head, body, _ := bytes.Cut([]byte(strings.ReplaceAll(message, "\n", "\r\n")), []byte("\r\n\r\n"))
		if left := survivors(t, append(head, "\r\n"...), body); left != "" {
			t.Errorf("%s: %s is left", f, left)
		}
	}
}
