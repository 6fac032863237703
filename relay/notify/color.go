package notify

import (
	"fmt"
	"math"
)

// color is one of sRGB, with parts from 0 to 1.
type color [3]float64

// The grounds that text stands on, and what contrasts with them.
var (
	light = color{1, 1, 1}
	dark  = color{0x20 / 255.0, 0x20 / 255.0, 0x22 / 255.0}
)

// minContrast is WCAG 2's for text (success criterion 1.4.3).
const minContrast = 4.5

// parseColor reads "#rrggbb".
func parseColor(s string) (color, error) {
	var r, g, b uint8
	if n, err := fmt.Sscanf(s, "#%02x%02x%02x", &r, &g, &b); err != nil || n != 3 || len(s) != 7 {
		return color{}, fmt.Errorf("%q is not a colour such as #7a1f2b", s)
	}
	return color{float64(r) / 255, float64(g) / 255, float64(b) / 255}, nil
}

func (c color) String() string {
	part := func(v float64) int { return int(math.Round(v * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", part(c[0]), part(c[1]), part(c[2]))
}

// luminance is WCAG 2's relative luminance.
func (c color) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c[0]) + 0.7152*linear(c[1]) + 0.0722*linear(c[2])
}

// contrast is WCAG 2's contrast ratio, from 1 to 21.
func contrast(a, b color) float64 {
	hi, lo := a.luminance(), b.luminance()
	if hi < lo {
		hi, lo = lo, hi
	}
	return (hi + 0.05) / (lo + 0.05)
}

// on is what text on the colour is written in: white or black, whichever
// contrasts more; one of them always has minContrast.
func (c color) on() color {
	black := color{}
	if contrast(c, light) >= contrast(c, black) {
		return light
	}
	return black
}

// readable is the colour, mixed with black or white as much as it takes to be
// read on a ground.
func (c color) readable(ground color) color {
	end := color{}
	if ground.luminance() < 0.18 {
		end = light
	}
	for step := 0.0; step <= 1; step += 0.05 {
		var mixed color
		for i := range c {
			mixed[i] = c[i]*(1-step) + end[i]*step
		}
		if contrast(mixed, ground) >= minContrast {
			return mixed
		}
	}
	return end
}
