package notify

import (
	"sync"

	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/relay/palette"
	"github.com/stagedoor/stagedoor/threading"
)

// Look is what every template sees.
type Look struct {
	Brand        string
	BrandColor   string // "#7a1f2b"
	OnBrandColor string // of text on it
	// Accent and DarkAccent are the brand's colour, made as dark or as light as it
	// takes to be read on white and on a dark ground.
	Accent, DarkAccent string
	Language           string // BCP 47 tag
	BaseURL            string // where members open their mailbox; may be empty
	SupportURL         string // may be empty
	// AlertsURL is the page that says how often the reader is told; empty where
	// there are no pages. SettingsAddress takes the same by mail.
	AlertsURL, SettingsAddress string

	says *language.Language
}

// Say is a phrase in the reader's language; fields are names and values in
// turn.
func (l Look) Say(key string, fields ...any) (string, error) { return l.says.TrySay(key, fields...) }

// The grounds that mail stands on.
var (
	light = palette.White
	dark  = palette.Color{0x20 / 255.0, 0x20 / 255.0, 0x22 / 255.0}
)

// newLook is what all readers see alike.
func newLook(o Options) Look {
	c := palette.Brand(o.BrandColor)
	return Look{
		Brand: o.Brand, BrandColor: c.String(), OnBrandColor: c.On().String(), Accent: c.Readable(light, palette.MinContrast).String(), DarkAccent: c.Readable(dark, palette.MinContrast).String(),
		BaseURL: o.BaseURL, SupportURL: o.SupportURL,
	}
}

// in is the look in a language.
func (l Look) in(says *language.Language) Look {
	l.says, l.Language = says, says.Tag()
	return l
}

// lookFor is what one member sees.
func (r *Renderer) lookFor(m threading.Member, c control) Look {
	l := r.look.in(r.o.Templates.Languages.Of(m.Language))
	l.AlertsURL, l.SettingsAddress = r.alertsURL(c), c.local()+"@"+r.o.Domain
	return l
}

// builtIn are the built-in templates.
var builtIn = sync.OnceValue(func() *Templates {
	t, err := LoadTemplates("")
	if err != nil { // a test loads them: this can't be
		t = &Templates{Languages: language.BuiltIn()}
	}
	return t
})

// Preview is what a template makes of a sample, in the language of that tag.
func (r *Renderer) Preview(name, tag string) (string, error) {
	if _, err := BuiltInTemplate(name); err != nil {
		return "", err
	}
	t := r.o.Templates
	if _, err := t.Languages.WithStandard(tag); err != nil {
		return "", err
	}
	return t.execute(name, sample(name, r.look.in(t.Languages.Of(tag)), true))
}

// sample is what a template is tried on: with all that can be there, or with
// as little as possible.
func sample(name string, l Look, full bool) any {
	if full {
		l.BaseURL, l.SupportURL = or(l.BaseURL, "https://msg.example.com"), or(l.SupportURL, "https://example.com/help")
		l.AlertsURL = l.BaseURL + "/alerts/abcdefghijklmnopqrstuvwxyz"
	} else {
		l.BaseURL, l.SupportURL, l.AlertsURL = "", "", ""
	}
	l.Brand, l.SettingsAddress = or(l.Brand, "Backstage"), "t-abcdefghijklmnopqrstuvwxyz@msg.example.com"
	if name == "footer.txt" || name == "footer.html" {
		v := footerView{Look: l}
		if full {
			v.Writer, v.About, v.BlockURL = "Sam Casting", "Ophelia in Hamlet", l.BaseURL+"/block/abcdefghijklmnopqrstuvwxyz"
			v.LeftOut = []LeftOut{{"showreel.mp4", "48 MB"}, {"score.pdf", "12 MB"}}
		}
		return v
	}
	one := DigestThread{With: "Sam Casting", Subject: "Callback", Messages: 1}
	if !full {
		return digestView{Look: l, Name: "Tess", Title: "Callback", Threads: []DigestThread{one}, Count: 1, Single: true}
	}
	one.Alias = "t-abcdefghijklmnopqrstuvwxyz@msg.example.com"
	one.Reply, one.About, one.Messages = "mailto:"+one.Alias+"?subject=Re:%20Callback", "Ophelia in Hamlet", 3
	one.Excerpt = "Thank you for your tape, we all liked it very much. Could you come to the Old Mill on Tuesday at ten, and bring the monologue from the fourth act?"
	other := DigestThread{With: "Otto, Anna", Subject: "Lift to the rehearsal", Messages: 1, Excerpt: "I drive on Friday, there is room for two more.", Alias: one.Alias, Reply: "mailto:" + one.Alias + "?subject=Re:%20Lift"}
	v := digestView{Look: l, Name: "Tess", Threads: []DigestThread{one, other}, More: 2, Count: 4, Preview: one.With + ": " + one.Excerpt}
	v.Title = l.says.Say("digest.title", "n", v.Count)
	return v
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}
