package caution

import (
	"os"
	"strings"
	"testing"
)

// entry is a message of the corpus, and what it asks for.
type entry struct {
	asks map[Kind]bool
	text string
}

func corpus(t *testing.T) []entry {
	t.Helper()
	b, err := os.ReadFile("testdata/corpus.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []entry
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, " ") {
			list[len(list)-1].text += "\n" + strings.TrimSpace(line)
			continue
		}
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		kinds, text, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("the corpus has a line without a kind: %q", line)
		}
		e := entry{map[Kind]bool{}, strings.TrimSpace(text)}
		for kind := range strings.SplitSeq(kinds, ",") {
			switch kind {
			case "pay", "leave":
				e.asks[Kind(kind)] = true
			case "none":
			default:
				t.Fatalf("the corpus has a kind %q", kind)
			}
		}
		list = append(list, e)
	}
	return list
}

// A warning that is wrong teaches to ignore those that are right: of a hundred
// at most three are. Of a hundred messages that ask at most five go without.
func TestPrecision(t *testing.T) {
	set := Shipped()
	for _, kind := range []Kind{Pay, Leave} {
		var right, wrong, missed int
		for _, e := range corpus(t) {
			found := false
			for _, f := range set.Find(e.text) {
				found = found || f.Kind == kind
			}
			switch {
			case found && e.asks[kind]:
				right++
			case found:
				wrong++
				t.Logf("%s, wrongly: %s", kind, e.text)
			case e.asks[kind]:
				missed++
				t.Logf("%s, missed: %s", kind, e.text)
			}
		}
		t.Logf("%s: %d right, %d wrong, %d missed", kind, right, wrong, missed)
		if wrong*100 > 3*(right+wrong) || missed*100 > 5*(right+missed) || right < 30 {
			t.Errorf("%s: %d right, %d wrong, %d missed", kind, right, wrong, missed)
		}
	}
}

// What is done to hide a word does not hide it.
func TestHiddenWords(t *testing.T) {
	for name, text := range map[string]string{
		"broken lines":         "Please write me on\r\nWhatsApp\r\n",
		"invisible characters": "Write me on Whats\u200bApp, it is\u00ad faster",
		"wide letters":         "Write me on ＷｈａｔｓＡｐｐ",
		"accents":              "Wríte mé on WhàtsApp",
		"capitals":             "WRITE ME ON WHATSAPP",
		"mathematical letters": "Write me on 𝗪𝗵𝗮𝘁𝘀𝗔𝗽𝗽",
	} {
		if got := Shipped().Find(text); len(got) != 1 || got[0].Kind != Leave || !strings.Contains(got[0].Says, "elsewhere") {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := Shipped().Find("Bitte überweisen Sie die Gebühr. Please write me on WhatsApp."); len(got) != 2 || !strings.Contains(got[0].Says, "Geld") {
		t.Errorf("two languages: %v", got)
	}
	if got := Shipped().Find(strings.Repeat("x", maxText-1) + "ü write me on WhatsApp"); got != nil {
		t.Errorf("beyond what is looked at: %v", got)
	}
}

func TestParse(t *testing.T) {
	const good = "[[warning]]\nlanguage = \"nl\"\nkind = \"pay\"\nsays = \"iemand vraagt geld\"\nasks = ['\\bgeld\\b']\n"
	set, err := Parse(good)
	if err != nil || len(set.Find("Stuur geld.")) != 1 || len(set.Find("Stuur een foto.")) != 0 {
		t.Errorf("%v", err)
	}
	for name, c := range map[string]struct{ text, want string }{
		"nothing":              {"", "has no [[warning]]"},
		"no TOML":              {"[[", "toml"},
		"an unknown key":       {good + "ask = []\n", `there is no key "warning.ask"`},
		"an unknown kind":      {strings.Replace(good, "pay", "spam", 1), "warning 1 (nl, spam): kind is \"spam\": write pay or leave"},
		"no language":          {strings.Replace(good, `"nl"`, `""`, 1), "language is missing"},
		"two lines":            {strings.Replace(good, "vraagt", `\n`, 1), "one line"},
		"a bad pattern":        {strings.Replace(good, `\bgeld`, "(geld", 1), "missing closing"},
		"one that is all":      {strings.Replace(good, `\bgeld\b`, ".*", 1), "matches everything"},
		"no patterns":          {strings.Replace(good, `'\bgeld\b'`, "", 1), "asks has no pattern"},
		"an invalid exception": {good + "unless = ['[']\n", "missing closing"},
	} {
		if _, err := Parse(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFind(f *testing.F) {
	set := Shipped()
	for _, s := range []string{"Write me on WhatsApp.", "\xff\xfe", strings.Repeat("pay ", 1000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := set.Find(text); len(got) > 2 {
			t.Errorf("%v", got)
		}
	})
}
