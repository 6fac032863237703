package store

import (
	"errors"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
)

// bodyOf writes a body as a door does.
func (x *fixture) bodyOf(header, text string) threading.Body {
	x.t.Helper()
	w := x.NewBody(x.ctx)
	if _, err := w.Write([]byte(text)); err != nil {
		x.t.Fatal(err)
	}
	b, err := w.Finish()
	if err != nil {
		x.t.Fatal(err)
	}
	if b.Content, err = mimetree.Read([]byte(header+"\r\n\r\n"), strings.NewReader(text)); err != nil {
		x.t.Fatal(err)
	}
	return b
}

func TestPreviewsAreKept(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	large := "\r\n--b\r\n\r\nDear Tess,\r\nsee what I filmed.\r\n--b\r\nContent-Disposition: attachment\r\n\r\n" + strings.Repeat("film ", threading.InlineBody/4) + "\r\n--b--\r\n"
	for _, c := range []struct {
		header, text, want string
		kept               bool // with the message
	}{
		{"Subject: x", "Break a leg!\r\n", "Break a leg!", true},
		{"Content-Type: image/png", "xxxx", "", true},
		{"Subject: x", "", "", true},
		{"Content-Type: multipart/mixed; boundary=b", large, "Dear Tess, see what I filmed.", false},
	} {
		b := x.bodyOf(c.header, c.text)
		if _, _, err := x.Append(x.ctx, mb.MemberID, mb.ID, NewItem{Header: []byte(c.header + "\r\n\r\n"), Body: b}); err != nil {
			t.Fatal(err)
		}
		for _, kept := range []bool{c.kept, true} {
			if n := x.count("bodies WHERE id = ? AND preview IS NOT NULL", b.ID); (n == 1) != kept {
				t.Errorf("%q: kept: %v, want %v", c.want, n == 1, kept)
			}
			if got, err := x.Preview(x.ctx, b.ID); err != nil || got != c.want {
				t.Errorf("preview %q, %v; want %q", got, err, c.want)
			}
		}
	}
	if _, err := x.Preview(x.ctx, 5); !errors.Is(err, ErrNotFound) {
		t.Errorf("the preview of nothing: %v", err)
	}
}
