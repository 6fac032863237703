package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"rsc.io/qr"

	"github.com/stagedoor/stagedoor/threading/store"
)

// qrCode is a QR code as a drawing: a path over a square of Size.
type qrCode struct {
	Size int
	Path string
}

// quiet is the margin around a code that readers need (ISO/IEC 18004), in
// modules.
const quiet = 4

// drawQR draws a text as a QR code, each row's dark runs a rectangle.
func drawQR(text string) (*qrCode, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, err
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if n := x - from; n > 0 {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, n, n)
			}
		}
	}
	return &qrCode{Size: code.Size + 2*quiet, Path: path.String()}, nil
}

// connectCode shows a code that opens this page on a phone, signed in. What it
// says works once and for a few minutes.
func (s *Server) connectCode(ctx context.Context, w http.ResponseWriter, r *http.Request, v visitor) {
	if !s.prove(ctx, w, r, atConnect, "current-code", v) {
		return
	}
	link, err := s.o.Pipeline.DeviceLink(ctx, v.Member)
	if errors.Is(err, store.ErrTooManyLinks) {
		s.problem(ctx, w, atConnect, v, problem{Text: "Links to sign in wait to be used already. Please try again in a quarter of an hour."})
		return
	}
	var code *qrCode
	if err == nil {
		code, err = drawQR(link + "?to=" + atConnect)
	}
	if err != nil {
		s.failed(w, err)
		return
	}
	s.showAccount(ctx, w, http.StatusOK, atConnect, v, accountPage{Code: code, CodeFor: fmt.Sprintf("%d minutes", int(store.SignInLinkFor.Minutes()))})
}
