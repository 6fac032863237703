// Package palette makes of the brand's colour those in which mail and pages can
// be read, whatever the colour is: by WCAG 2's contrast, on light and dark
// grounds. It does no I/O.
package palette

import (
	"fmt"
	"math"
)

// Color is one of sRGB, with parts from 0 to 1.
type Color [3]float64

// The ends that colours are mixed with.
var (
	White = Color{1, 1, 1}
	Black = Color{}
)

// Contrast ratios that WCAG 2 asks of text: at least (success criterion 1.4.3),
// and better (1.4.6).
const (
	MinContrast  = 4.5
	GoodContrast = 7
)

// Default is the brand's colour where none is configured.
const Default = "#7a1f2b"

// Parse reads "#rrggbb".
func Parse(s string) (Color, error) {
	var r, g, b uint8
	if n, err := fmt.Sscanf(s, "#%02x%02x%02x", &r, &g, &b); err != nil || n != 3 || len(s) != 7 {
		return Color{}, fmt.Errorf("%q is not a colour such as %s", s, Default)
	}
	return Color{float64(r) / 255, float64(g) / 255, float64(b) / 255}, nil
}

// Brand is the configured colour; Default where that is none.
func Brand(s string) Color {
	c, err := Parse(s)
	if err != nil {
		c, _ = Parse(Default)
	}
	return c
}

func (c Color) String() string {
	part := func(v float64) int { return int(math.Round(v * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", part(c[0]), part(c[1]), part(c[2]))
}

// luminance is WCAG 2's relative luminance.
func (c Color) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// Contrast is WCAG 2's contrast ratio, from 1 to 21.
func Contrast(a, b Color) float64 {
	hi, lo := a.luminance(), b.luminance()
	if hi < lo {
		hi, lo = lo, hi
	}
	return (hi + 0.05) / (lo + 0.05)
}

// On is what text on the colour is written in: white or black, whichever
// contrasts more; one of them always has MinContrast.
func (c Color) On() Color {
	if Contrast(c, White) >= Contrast(c, Black) {
		return White
	}
	return Black
}

// Mix is the colour with a share of another, from 0 to 1.
func (c Color) Mix(other Color, share float64) Color {
	for i := range c {
		c[i] = c[i]*(1-share) + other[i]*share
	}
	return c
}

// Readable is the colour, mixed with black or white as much as it takes to
// have that contrast with a ground.
func (c Color) Readable(ground Color, contrast float64) Color {
	end := Black
	if ground.luminance() < 0.18 {
		end = White
	}
	for step := 0.0; step <= 1; step += 0.05 {
		if mixed := c.Mix(end, step); Contrast(mixed, ground) >= contrast {
			return mixed
		}
	}
	return end
}
