package sanitize

import (
	"strings"
	"testing"
)

// TestHeaderBlocks: in each language a mail program's header block ends what
// is new, whichever of the usual fields, orders and marks it has.
func TestHeaderBlocks(t *testing.T) {
	blocks := 0
	for _, l := range uiLanguages {
		if l.from == nil {
			continue
		}
		for _, sent := range append(l.sent[:len(l.sent):len(l.sent)], l.date...) {
			for _, to := range l.to {
				for form, write := range headerForms {
					block := write(l.from[0], sent, to, l.subject[0])
					blocks++
					text := "My address is jane@typed.example\n\n" + block + "\n\nold text\n"
					if got := whatIsNew(text); strings.TrimRight(got, "_|") != "My address is jane@typed.example" {
						t.Errorf("%s, %s: new is %q in\n%s", l.name, form, got, text)
					}
				}
			}
		}
		// One label alone is a program's line, where it holds an identifier.
		for _, list := range [][]string{l.from, l.to} {
			for _, word := range list {
				for _, line := range []string{word + ": jane@x.example", word + "：jane@x.example", "*" + word + ":* Jane <jane@x.example>", word + "\u00a0: jane@x.example", "\u200f" + word + ": jane@x.example"} {
					if !automaticLine(line) {
						t.Errorf("%s: %q is taken for typed", l.name, line)
					}
				}
			}
		}
		for _, list := range [][]string{l.cc, l.subject, l.sent, l.date} {
			for _, word := range list {
				if labelOf(word+": x") == 0 {
					t.Errorf("%s: %q is no label", l.name, word)
				}
			}
		}
	}
	if blocks < 300 {
		t.Errorf("only %d header blocks", blocks)
	}
}

// headerForms are how programs write a header block.
var headerForms = map[string]func(from, sent, to, subject string) string{
	"outlook": func(from, sent, to, subject string) string {
		return strings.Repeat("_", 32) + "\n" + from + ": Sam Casting via Backstage <t-k3x9@msg.example.com>\n" + sent + ": 31.08.2026 16:12\n" + to + ": Jane Roe <jane@x.example>\n" + subject + ": Ophelia"
	},
	"date first": func(from, sent, to, subject string) string {
		return sent + ": 31.08.2026 16:12\n" + from + ": Sam\n" + to + ": Jane Roe <jane@x.example>\n" + subject + ": Ophelia"
	},
	"subject first": func(from, sent, to, subject string) string {
		return subject + ": Ophelia\n" + sent + ": 31.08.2026 16:12\n" + from + ": Sam\n" + to + ": Jane Roe <jane@x.example>"
	},
	"bold": func(from, sent, to, subject string) string {
		return "*" + from + ":* Sam\n*" + sent + ":* 31.08.2026\n*" + to + ":* jane@x.example\n*" + subject + ":* Ophelia"
	},
	"space before the colon": func(from, sent, to, subject string) string {
		return from + " : Sam\n" + sent + "\u00a0: 31.08.2026\n" + to + " : jane@x.example\n" + subject + " : Ophelia"
	},
	"wide colon": func(from, sent, to, subject string) string {
		return from + "：Sam\n" + sent + "：31.08.2026\n" + to + "：jane@x.example\n" + subject + "：Ophelia"
	},
	"marks of direction": func(from, sent, to, subject string) string {
		return "\u200e" + from + ": Sam\n\u200f" + sent + ": 31.08.2026\n\ufeff" + to + ": jane@x.example\n\u202b" + subject + ": Ophelia\u202c"
	},
	"wrapped recipients": func(from, sent, to, subject string) string {
		return from + ": Sam\n" + sent + ": 31.08.2026\n" + to + ": Jane Roe\n <jane@x.example>; Sam Casting via Backstage\n <t-k3x9@msg.example.com>\n" + subject + ": Ophelia"
	},
	"value in the next line": func(from, sent, to, subject string) string {
		return from + ":\nSam\n" + sent + ":\n31.08.2026\n" + to + ":\njane@x.example\n" + subject + ":\nOphelia"
	},
}

// TestAttributions: in each language a line that says who wrote is quoted,
// however it is broken, and so is what follows it.
func TestAttributions(t *testing.T) {
	n := 0
	for _, l := range uiLanguages {
		for _, form := range l.attributions {
			line := strings.NewReplacer("{D}", "31.08.2026", "{T}", "16:12", "{N}", "Jane Roe", "{A}", "jane.roe@x.example").Replace(form)
			for _, broken := range breakings(line) {
				n++
				// What follows is marked, as it is nearly always.
				text := "Write to jane@typed.example please\n\n" + broken + "\n\n> old\n\nBye jane@typed.example"
				if got := whatIsNew(text); got != "Write to jane@typed.example please|Bye jane@typed.example" {
					t.Errorf("%s: new is %q in\n%s", l.name, got, text)
				}
				// Or it is not; then nothing after it is new.
				text = "Write to jane@typed.example please\n\n" + broken + "\n\nold text\n"
				if strings.Contains(form, "{A}") {
					if got := whatIsNew(text); got != "Write to jane@typed.example please" {
						t.Errorf("%s, unmarked: new is %q in\n%s", l.name, got, text)
					}
				}
			}
		}
	}
	if n < 200 {
		t.Errorf("only %d attributions", n)
	}
}

// breakings are an attribution in one line and in the lines that programs
// break it into: before and after the bracket, inside the address.
func breakings(line string) []string {
	list := []string{line}
	for _, at := range []string{" <", "@", "example"} {
		if i := strings.LastIndex(line, at); i > 0 {
			list = append(list, line[:i]+"\n"+strings.TrimPrefix(line[i:], " "))
			if at != "example" {
				list = append(list, line[:i+len(at)]+"\n"+line[i+len(at):])
			}
		}
	}
	return list
}
