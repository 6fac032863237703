package api

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// read takes the body apart, strictly: a member that is not known, given twice
// or of another type is refused by its name.
func (c *call) read(v any) error {
	if !utf8.Valid(c.body) {
		return problemf(errBadRequest, "The body is not valid UTF-8.")
	}
	if err := unique(c.body); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(c.body))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var typed *json.UnmarshalTypeError
	switch {
	case err == nil:
	case errors.As(err, &typed) && typed.Field != "":
		p := problemf(errBadRequest, "%s must be a %s.", typed.Field, typeName(typed.Type))
		p.Errors = []fieldError{{"/" + strings.ReplaceAll(typed.Field, ".", "/"), "is a " + typed.Value + " and must be a " + typeName(typed.Type)}}
		return p
	case errors.As(err, &typed):
		return problemf(errBadRequest, "The body must be a JSON object.")
	case strings.HasPrefix(err.Error(), "json: unknown field "):
		name, _ := strconv.Unquote(strings.TrimPrefix(err.Error(), "json: unknown field "))
		name = shown(name)
		p := problemf(errBadRequest, "The member %q is not known.", name)
		p.Errors = []fieldError{{"/" + name, "is not known"}}
		return p
	default:
		return problemf(errBadRequest, "The body is not valid JSON.")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return problemf(errBadRequest, "Something follows the JSON object.")
	}
	return nil
}

// shown is a name that a client made up, as far as it is repeated.
func shown(name string) string {
	if len(name) > 60 || strings.ContainsRune(name, '@') {
		return "…"
	}
	return name
}

// unique refuses an object with two members of one name: programs differ in
// which of them they take.
func unique(body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	var seen []map[string]bool // of the objects that are open; nil for a list
	key := false               // a name comes next
	for {
		t, err := d.Token()
		if err != nil {
			return nil // whoever reads it says what is wrong
		}
		switch t := t.(type) {
		case json.Delim:
			switch t {
			case '{':
				seen = append(seen, map[string]bool{})
			case '[':
				seen = append(seen, nil)
			default:
				seen = seen[:len(seen)-1]
			}
			if len(seen) > 20 {
				return problemf(errBadRequest, "The body is nested too deep.")
			}
			key = len(seen) > 0 && seen[len(seen)-1] != nil
			continue
		case string:
			if key {
				names := seen[len(seen)-1]
				if names[t] {
					return problemf(errBadRequest, "The member %q is there twice.", shown(t))
				}
				names[t] = true
				key = false
				continue
			}
		}
		key = len(seen) > 0 && seen[len(seen)-1] != nil
	}
}

func typeName(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Slice:
		return "list"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int64:
		return "number"
	}
	return "string"
}

// Pages of a listing.
const (
	defaultPage = 50
	maxPage     = 200
)

// page is one page of a listing. Next leads to the one after it.
type page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// listing is what a request asks of a listing.
type listing struct {
	query url.Values
	after string // where the last page ended
	limit int
}

// listing reads limit and cursor, and refuses parameters that are not known.
func (s *Server) listing(c *call, known ...string) (listing, error) {
	l := listing{query: c.r.URL.Query(), limit: defaultPage}
	for name, values := range l.query {
		switch {
		case len(values) > 1:
			return l, problemf(errBadRequest, "The parameter %q is there twice.", shown(name))
		case name == "limit":
			n, err := strconv.Atoi(values[0])
			if err != nil || n < 1 || n > maxPage {
				return l, problemf(errBadRequest, "limit must be a number from 1 to %d.", maxPage)
			}
			l.limit = n
		case name == "cursor":
			sealed, err := base64.RawURLEncoding.DecodeString(values[0])
			if err == nil {
				l.after, err = s.o.Store.Keyring().Open(cursorOf(c), sealed)
			}
			if err != nil {
				return l, problemf(errBadRequest, "The cursor is none of this listing: take it from next.")
			}
		case !slices.Contains(known, name):
			return l, problemf(errBadRequest, "The parameter %q is not known.", shown(name))
		}
	}
	return l, nil
}

// cursorOf is what a cursor is bound to: it goes on in the listing that made it,
// with the same filters.
func cursorOf(c *call) string {
	q := c.r.URL.Query()
	q.Del("cursor")
	q.Del("limit")
	return "cursor " + c.r.URL.Path + "?" + q.Encode()
}

// paged makes a page of a listing that was asked for one item more than its
// limit. at is where an item stands.
func paged[F, T any](s *Server, c *call, l listing, found []F, at func(F) string, show func(F) T) page[T] {
	p := page[T]{Items: []T{}}
	if len(found) > l.limit {
		found = found[:l.limit]
		p.Next = base64.RawURLEncoding.EncodeToString(s.o.Store.Keyring().Seal(cursorOf(c), at(found[len(found)-1])))
	}
	for _, f := range found {
		p.Items = append(p.Items, show(f))
	}
	return p
}

// atID is where a listing by ID goes on.
func (l listing) atID() threading.ID {
	n, _ := strconv.ParseInt(l.after, 10, 64)
	return threading.ID(n)
}

// id reads an ID out of the path.
func (s *Server) id(c *call, name string, kind seal.TokenKind) (threading.ID, error) {
	id, ok := s.o.Store.Keyring().ParseToken(kind, c.r.PathValue(name))
	if !ok {
		return 0, problemf(errNotFound, "There is no such %s.", name)
	}
	return id, nil
}

// member finds a member who is there, by the handle in the path.
func (s *Server) member(c *call) (threading.Member, error) {
	return s.memberNamed(c, c.r.PathValue("handle"), func(string) error { return problemf(errNotFound, "There is no member with this handle.") })
}

// memberNamed finds a member; missing says what it means that there is none.
func (s *Server) memberNamed(c *call, handle string, missing func(string) error) (threading.Member, error) {
	m, err := s.o.Store.MemberByHandle(c, handle)
	if errors.Is(err, store.ErrNotFound) {
		return m, missing(handle)
	}
	return m, err
}

// noMember says of a member of the body that there is no such member.
func noMember(pointer string) func(string) error {
	return func(string) error { return invalid(fieldError{pointer, "There is no member with this handle."}) }
}

// checks collects what is wrong with the members of a body.
type checks []fieldError

// value checks one; empty is what may be left out.
func (l *checks) value(pointer, value string, check func(string) error) {
	if err := check(value); err != nil {
		*l = append(*l, fieldError{pointer, sentence(pointer[1:] + " " + err.Error())})
	}
}

func (l checks) err() error {
	if len(l) == 0 {
		return nil
	}
	return invalid(l...)
}

// sentence makes a sentence of what an error says.
func sentence(s string) string {
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}

// required refuses what is empty.
func required(s string) error {
	if strings.TrimSpace(s) == "" {
		return errors.New("is missing")
	}
	return nil
}

// optional checks what is there.
func optional(check func(string) error) func(string) error {
	return func(s string) error {
		if s == "" {
			return nil
		}
		return check(s)
	}
}

// among checks a value that is one of a few.
func among(values ...string) func(string) error {
	return func(s string) error {
		if slices.Contains(values, s) {
			return nil
		}
		return fmt.Errorf("must be one of %s", strings.Join(values, ", "))
	}
}
