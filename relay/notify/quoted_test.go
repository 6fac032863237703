package notify

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/emersion/go-message"

	"github.com/stagedoor/stagedoor/relay/sanitize"
)

// TestQuotedFooterIsRemoved: what a reader's mail client quotes of a
// notification comes to the other side without our footer, which speaks to
// its reader only.
func TestQuotedFooterIsRemoved(t *testing.T) {
	raw, err := os.ReadFile("testdata/alternative.eml")
	if err != nil {
		t.Fatal(err)
	}
	header, body := split(raw)
	shown := parts(t, renderBytes(t, testRenderer, header, body))
	for _, p := range shown {
		reply := "From: <tess@mail.example>\r\nTo: <t-x@msg.example.com>\r\nMIME-Version: 1.0\r\nContent-Type: " + p.mediaType + "; charset=utf-8\r\n\r\n"
		if p.mediaType == "text/html" {
			reply += "<p>Yes!</p><blockquote type=\"cite\">" + p.content + "</blockquote>\r\n"
		} else {
			reply += "Yes!\r\n\r\nOn Monday Sam Casting via Backstage wrote:\r\n> " + strings.ReplaceAll(p.content, "\r\n", "\r\n> ") + "\r\n"
		}
		var out bytes.Buffer
		res, err := sanitize.Rewrite(&out, strings.NewReader(reply), sanitize.Options{
			Identity: sanitize.Identity{Name: "Tess", Addresses: []string{"tess@mail.example"}, RelayDomain: "msg.example.com", RelayURL: "https://msg.example.com", Brand: "Backstage"},
			Typed:    sanitize.TypedAllow, Domain: "msg.example.com",
		})
		if err != nil {
			t.Fatal(err)
		}
		e, err := message.Read(io.MultiReader(bytes.NewReader(res.MIMEFields), strings.NewReader("\r\n"), &out))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		err = e.Walk(func(_ []int, e *message.Entity, err error) error {
			if err == nil && !strings.HasPrefix(e.Header.Get("Content-Type"), "multipart/") {
				_, err = io.Copy(&text, e.Body)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, gone := range []string{"stays private", "sd-footer", "Help:", "any mail client"} {
			if strings.Contains(text.String(), gone) {
				t.Errorf("%s: %q is left in the reply:\n%s", p.mediaType, gone, text.String())
			}
		}
		if !strings.Contains(text.String(), "Yes!") || !strings.Contains(text.String(), "Hello") {
			t.Errorf("%s: the reply lost its text:\n%s", p.mediaType, text.String())
		}
	}
}
