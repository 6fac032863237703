package web

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay/palette"
)

// Whatever the brand's colour, what is written in it and on it can be read, and
// the grounds are those that the stylesheet has.
func TestTheBrandsColorCanBeRead(t *testing.T) {
	seen := map[string]bool{}
	for _, brand := range []string{"", "#7a1f2b", "#000000", "#ffffff", "#808080", "#ffff00", "#00ff00", "#0000ff", "#777777", "#e89aa5", "#123456"} {
		css, version := stylesheet(brand)
		before, own, _ := strings.Cut(string(css), "/* The brand's colour. */")
		for i, grounds := range [][2]string{lightGrounds, darkGrounds} {
			if !strings.Contains(before, "--ground: "+grounds[0]+"; --sheet: "+grounds[1]+";") {
				t.Fatalf("the stylesheet has other grounds than %v", grounds)
			}
			c := map[string]palette.Color{"ground": palette.Brand(grounds[0]), "sheet": palette.Brand(grounds[1])}
			for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(strings.SplitN(own, "@media", 2)[i], -1) {
				c[m[1]] = palette.Brand(m[2])
			}
			for _, pair := range [][2]string{{"accent", "ground"}, {"accent", "sheet"}, {"accent", "tint"}, {"accent-deep", "sheet"}, {"accent-deep", "ground"}, {"on-accent", "accent"}, {"on-accent", "accent-deep"}} {
				if got := palette.Contrast(c[pair[0]], c[pair[1]]); got < palette.MinContrast {
					t.Errorf("%s: %s on %s: contrast %.2f", brand, pair[0], pair[1], got)
				}
			}
		}
		if seen[version] && brand != "#7a1f2b" {
			t.Errorf("%s: the address stays the same", brand)
		}
		seen[version] = true
	}
}
