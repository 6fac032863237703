package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/stagedoor/stagedoor/relay/palette"
)

// The grounds of the pages, as style.css has them: of the page, and of the
// sheet on it.
var (
	lightGrounds = [2]string{"#f6f4f1", "#fffefc"}
	darkGrounds  = [2]string{"#151214", "#1e1a1c"}
)

// stylesheet is style.css with the colours made of the brand's, and a word in
// its address that changes with it.
func stylesheet(brand string) (css []byte, version string) {
	b, err := files.ReadFile("pages/style.css")
	if err != nil {
		return nil, "" // it is embedded
	}
	c := palette.Brand(brand)
	b = fmt.Appendf(b, "\n/* The brand's colour. */\n:root { %s }\n@media (prefers-color-scheme: dark) { :root { %s } }\n",
		accents(c, lightGrounds, palette.MinContrast, palette.Black), accents(c, darkGrounds, palette.GoodContrast, palette.White))
	sum := sha256.Sum256(b)
	return b, hex.EncodeToString(sum[:4])
}

// accents are the colours of links, buttons and what is chosen. All that is
// written in them, on a ground or on their own tint, has that contrast; end is
// where they go when pointed at.
func accents(c palette.Color, grounds [2]string, contrast float64, end palette.Color) string {
	ground, sheet := palette.Brand(grounds[0]), palette.Brand(grounds[1])
	tint := sheet.Mix(c, 0.09)
	accent := c.Readable(sheet, contrast).Readable(ground, contrast).Readable(tint, palette.MinContrast)
	on := palette.White
	if end == palette.White {
		on = c.Mix(palette.Black, 0.8)
	}
	return fmt.Sprintf("--accent: %s; --accent-deep: %s; --on-accent: %s; --tint: %s;", accent, accent.Mix(end, 0.25), on.Readable(accent, palette.MinContrast), tint)
}

// style serves the stylesheet. Its address changes when it does.
func (s *Server) style(w http.ResponseWriter, _ *http.Request) {
	serveAsset(w, s.css, "text/css; charset=utf-8")
}
