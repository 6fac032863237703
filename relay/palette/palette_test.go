package palette

import "testing"

// Whatever the brand's colour, what is written on it or in it can be read (WCAG
// 2.2, success criterion 1.4.3).
func TestColorsCanBeRead(t *testing.T) {
	for _, s := range []string{"#7a1f2b", "#000000", "#ffffff", "#808080", "#ffff00", "#00ff00", "#0000ff", "#777777", "#e89aa5", "#123456"} {
		c, err := Parse(s)
		if err != nil || c.String() != s {
			t.Fatalf("%s: %s, %v", s, c, err)
		}
		if got := Contrast(c, c.On()); got < MinContrast {
			t.Errorf("text on %s is %s: contrast %.1f", s, c.On(), got)
		}
		for _, ground := range []Color{White, {0x20 / 255.0, 0x20 / 255.0, 0x22 / 255.0}} {
			if got := Contrast(c.Readable(ground, MinContrast), ground); got < MinContrast {
				t.Errorf("%s on %s is %s: contrast %.1f", s, ground, c.Readable(ground, MinContrast), got)
			}
		}
		if Contrast(c, White) >= MinContrast && c.Readable(White, MinContrast) != c {
			t.Errorf("%s was changed, and could be read", s)
		}
	}
	for _, s := range []string{"", "red", "#fff", "#7a1f2", "#7a1f2bb", "#gggggg", "7a1f2b0"} {
		if _, err := Parse(s); err == nil {
			t.Errorf("%q is a colour", s)
		}
	}
	if Brand("red").String() != Default || Brand("#123456").String() != "#123456" {
		t.Error("what is no colour is not the default")
	}
	if got := Contrast(Black, White); got < 20.9 || got > 21.1 {
		t.Errorf("black on white: %.2f", got)
	}
}
