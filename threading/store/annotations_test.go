package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

func TestAnnotations(t *testing.T) {
	x := newFixture(t)
	sam, tess := x.member("sam"), x.member("tess")
	inbox := x.mailbox(tess, threading.Inbox)
	set := func(mailbox threading.ID, values map[string][]byte) error {
		return x.SetAnnotations(x.ctx, tess.ID, mailbox, values)
	}
	check := func(member, mailbox threading.ID, want string) {
		t.Helper()
		all, err := x.Annotations(x.ctx, member, mailbox)
		if got := fmt.Sprintf("%q", all); err != nil || got != want {
			t.Errorf("%s, %v; want %s", got, err, want)
		}
	}
	if err := errors.Join(set(inbox.ID, map[string][]byte{"/private/Comment": []byte("mine"), "/shared/x": []byte("")}), set(0, map[string][]byte{"/private/comment": []byte("the account")})); err != nil {
		t.Fatal(err)
	}
	check(tess.ID, inbox.ID, `map["/private/comment":"mine" "/shared/x":""]`)
	check(tess.ID, 0, `map["/private/comment":"the account"]`)
	check(sam.ID, 0, `map[]`)
	if err := set(inbox.ID, map[string][]byte{"/PRIVATE/comment": []byte("other"), "/shared/x": nil, "/shared/none": nil}); err != nil {
		t.Fatal(err)
	}
	check(tess.ID, inbox.ID, `map["/private/comment":"other"]`)

	many := map[string][]byte{}
	for i := range MaxAnnotations {
		many[fmt.Sprint("/private/n", i)] = []byte("x")
	}
	for what, values := range map[string]map[string][]byte{
		"too many": many, "too long": {"/private/x": make([]byte, MaxAnnotation+1)}, "too long a name": {"/private/" + strings.Repeat("x", MaxAnnotationName): {}},
	} {
		if err := set(inbox.ID, values); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v", what, err)
		}
	}
	check(tess.ID, inbox.ID, `map["/private/comment":"other"]`)
	if err := set(5, map[string][]byte{"/private/x": nil}); !errors.Is(err, ErrNotFound) {
		t.Errorf("on no mailbox: %v", err)
	}
}
