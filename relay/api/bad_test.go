package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/relay"
)

// member is the body of a good member, with changes.
func member(change doc) doc {
	b := doc{"handle": "new", "name": "New", "addresses": []string{"new@work.example"}}
	for k, v := range change {
		b[k] = v
		if v == nil {
			delete(b, k)
		}
	}
	return b
}

// thread is the body of a good thread, with changes.
func thread(change doc) doc {
	b := doc{"from": "sam", "to": "tess", "subject": "Hello", "text": "Hello"}
	for k, v := range change {
		b[k] = v
	}
	return b
}

func TestBadInput(t *testing.T) {
	p := newPlatform(t, nil)
	inbox := len(p.Mailbox("tess", "INBOX"))
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
		says         string
		fields       []string
	}{
		// What can't be read.
		"no JSON":              {"POST", "/members", "handle=new", 400, "not valid JSON", nil},
		"half of it":           {"POST", "/members", `{"handle": "new"`, 400, "not valid JSON", nil},
		"nothing":              {"POST", "/members", "", 400, "not valid JSON", nil},
		"a list":               {"POST", "/members", `[]`, 400, "must be a JSON object", nil},
		"two objects":          {"POST", "/members", `{} {}`, 400, "Something follows", nil},
		"an unknown member":    {"POST", "/members", member(doc{"nickname": "N"}), 400, `The member \"nickname\" is not known.`, nil},
		"an address as a name": {"POST", "/members", member(doc{"tess.real@mail.example": "N"}), 400, "is not known", nil},
		"a member twice":       {"POST", "/members", `{"handle": "new", "handle": "old"}`, 400, `The member \"handle\" is there twice.`, nil},
		"a wrong type":         {"POST", "/members", member(doc{"name": 7}), 400, "name must be a string.", nil},
		"a list of numbers":    {"POST", "/members", member(doc{"addresses": []int{1}}), 400, "addresses must be a string.", nil},
		"no list":              {"POST", "/members", member(doc{"addresses": "new@work.example"}), 400, "addresses must be a list.", nil},
		"nested deep":          {"POST", "/members", strings.Repeat(`{"a":`, 200), 400, "nested too deep", nil},
		"not UTF-8":            {"POST", "/members", "{\"handle\": \"\xff\"}", 400, "not valid UTF-8", nil},
		"a form":               {"POST", "/members", "handle=new", 415, "Send JSON", []string{"Content-Type: application/x-www-form-urlencoded"}},
		"no type":              {"POST", "/members", "{}", 415, "Send JSON", []string{"Content-Type: "}},
		"too large":            {"POST", "/members", member(doc{"name": strings.Repeat("x", smallBody)}), 413, "larger than 65536 octets", nil},
		"much too large":       {"POST", "/threads", thread(doc{"text": strings.Repeat("x", largeBody)}), 413, "larger than", nil},

		// Names, handles, addresses.
		"no handle":               {"POST", "/members", member(doc{"handle": nil}), 422, "Handle is empty", nil},
		"a reserved handle":       {"POST", "/members", member(doc{"handle": "postmaster"}), 422, "is reserved", nil},
		"the platform's handle":   {"POST", "/members", member(doc{"handle": "support"}), 422, "is reserved", nil},
		"an alias's handle":       {"POST", "/members", member(doc{"handle": "t-abc"}), 422, "reserved for the relay", nil},
		"a look-alike handle":     {"POST", "/members", member(doc{"handle": "tеss"}), 422, "has the character 'е'", nil}, // Cyrillic
		"full-width letters":      {"POST", "/members", member(doc{"handle": "ｔess"}), 422, "has the character", nil},
		"capital letters":         {"POST", "/members", member(doc{"handle": "Tess"}), 422, "has the character 'T'", nil},
		"an invisible character":  {"POST", "/members", member(doc{"handle": "te\u200bss"}), 422, "has the character", nil},
		"a path":                  {"POST", "/members", member(doc{"handle": "../sam"}), 422, "has the character '.'", nil},
		"a handle that is mail":   {"POST", "/members", member(doc{"handle": "new@work.example"}), 422, "looks like an e-mail address", nil},
		"header fields in a name": {"POST", "/members", member(doc{"name": "New\r\nBcc: x"}), 422, "control character", nil},
		"an encoded word":         {"POST", "/members", member(doc{"name": "=?utf-8?q?=0d=0aBcc:_x?="}), 422, "contains =?", nil},
		"an address in a name":    {"POST", "/members", member(doc{"name": "new＠work.example"}), 422, "contains an @", nil},
		"a turned name":           {"POST", "/members", member(doc{"name": "a\u202eb"}), 422, "control character", nil},
		"a long name":             {"POST", "/members", member(doc{"name": strings.Repeat("x", 201)}), 422, "at most 200", nil},
		"no addresses":            {"POST", "/members", member(doc{"addresses": nil}), 422, "1 to 20 real addresses", nil},
		"many addresses":          {"POST", "/members", member(doc{"addresses": make([]string, 21)}), 422, "1 to 20 real addresses", nil},
		"no address":              {"POST", "/members", member(doc{"addresses": []string{"new"}}), 422, "must look like name@example.com", nil},
		"our own address":         {"POST", "/members", member(doc{"addresses": []string{"new@msg.example.com"}}), 422, "can't be in the relay's own domain", nil},
		"lines in an address":     {"POST", "/members", member(doc{"addresses": []string{"new@work.example\r\nRCPT TO:<x@y.z>"}}), 422, "control character", nil},
		"no alerts":               {"POST", "/members", member(doc{"alerts": "hourly"}), 422, "is no alert setting", nil},
		"no time":                 {"PATCH", "/members/tess", doc{"digest_at": "8:00"}, 422, "is not a time of day", nil},
		"no zone":                 {"PATCH", "/members/tess", doc{"timezone": "../../etc/passwd"}, 422, "is not a time zone", nil},
		"removed by a change":     {"PATCH", "/members/tess", doc{"status": "removed"}, 422, "must be one of active, suspended", nil},
		"no language":             {"PATCH", "/members/tess", doc{"language": "tlh"}, 422, "must be one of", nil},
		"another handle":          {"PATCH", "/members/tess", doc{"handle": "tess2"}, 400, "not known", nil},
		"a weak hash":             {"POST", "/members", member(doc{"password_hash": "$2y$10$abc"}), 422, "is not an argon2id hash", nil},
		"a hash of 4 GiB":         {"POST", "/members", member(doc{"password_hash": "$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}), 422, "is not an argon2id hash", nil},
		"password and hash":       {"POST", "/members", member(doc{"password": "correct horse", "password_hash": "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}), 422, "not both", nil},
		"a title that is mail":    {"POST", "/productions", doc{"slug": "lear", "title": "write to lear@work.example", "owner": "sam"}, 422, "contains an @", nil},
		"a slug that is none":     {"POST", "/productions/hamlet/roles", doc{"slug": "a.b", "title": "A"}, 422, "has the character '.'", nil},

		// Messages.
		"two lines in a subject":  {"POST", "/threads", thread(doc{"subject": "Hello\r\nBcc: x"}), 422, "must be one line", nil},
		"a NUL in a subject":      {"POST", "/threads", thread(doc{"subject": "Hello\x00"}), 422, "must be one line", nil},
		"a long subject":          {"POST", "/threads", thread(doc{"subject": strings.Repeat("x", 501)}), 422, "too long", nil},
		"no text":                 {"POST", "/threads", thread(doc{"text": " \n"}), 422, "Text is missing", nil},
		"a long text":             {"POST", "/threads", thread(doc{"text": strings.Repeat("x", relay.MaxContactText+1)}), 422, "too long", nil},
		"to oneself":              {"POST", "/threads", thread(doc{"to": "sam"}), 422, "another member", nil},
		"to nobody":               {"POST", "/threads", thread(doc{"to": "nobody-here"}), 422, "no member with this handle", nil},
		"from nobody":             {"POST", "/threads", thread(doc{"from": "nobody-here"}), 422, "no member with this handle", nil},
		"from the platform":       {"POST", "/threads", thread(doc{"from": "support"}), 422, "no member with this handle", nil},
		"to an address":           {"POST", "/threads", thread(doc{"to": "tess.real@mail.example"}), 422, "no member with this handle", nil},
		"a role without a play":   {"POST", "/threads", thread(doc{"role": "ophelia"}), 422, "A role belongs to a production", nil},
		"a role that is not":      {"POST", "/threads", thread(doc{"production": "hamlet", "role": "yorick"}), 422, "no such role", nil},
		"two lines in a note's":   {"POST", "/notes", doc{"to": "tess", "subject": "a\nb", "text": "x"}, 422, "must be one line", nil},
		"a note to nobody":        {"POST", "/notes", doc{"to": "nobody-here", "subject": "a", "text": "x"}, 422, "no member with this handle", nil},
		"a note without a reader": {"POST", "/notes", doc{"subject": "a", "text": "x"}, 422, "To is missing", nil},

		// Webhooks.
		"no URL":                {"POST", "/webhooks", doc{"url": "hook", "events": []string{"message.filed"}}, 422, "is not a URL", nil},
		"a URL without TLS":     {"POST", "/webhooks", doc{"url": "http://www.example.com/", "events": []string{"message.filed"}}, 422, "must begin with https://", nil},
		"a URL inside":          {"POST", "/webhooks", doc{"url": "https://169.254.169.254/latest", "events": []string{"message.filed"}}, 422, "not public", nil},
		"a URL on this machine": {"POST", "/webhooks", doc{"url": "https://[::ffff:127.0.0.1]/", "events": []string{"message.filed"}}, 422, "not public", nil},
		"a URL with a password": {"POST", "/webhooks", doc{"url": "https://a:b@www.example.com/", "events": []string{"message.filed"}}, 422, "user name or password", nil},
		"an event that is none": {"POST", "/webhooks", doc{"url": "https://www.example.com/", "events": []string{"member.sneezed"}}, 422, "no event of the name", nil},
		"no events":             {"POST", "/webhooks", doc{"url": "https://www.example.com/"}, 422, "Name the events", nil},
		"no webhook":            {"GET", "/webhooks/" + strings.Repeat("a", 26), nil, 404, "no such webhook", nil},

		// Paths.
		"nothing there":           {"GET", "/nothing", nil, 404, "nothing at this path", nil},
		"another method":          {"DELETE", "/threads", nil, 405, "Allowed are GET, POST", nil},
		"no member":               {"GET", "/members/nobody-here", nil, 404, "no member", nil},
		"an ID":                   {"GET", "/members/1", nil, 404, "no member", nil},
		"SQL":                     {"GET", "/members/x'%20OR%20'1'='1", nil, 404, "no member", nil},
		"up and down":             {"GET", "/members/..%2f..%2fproductions", nil, 404, "no member", nil},
		"a NUL in a path":         {"GET", "/members/tess%00", nil, 404, "no member", nil},
		"no thread's token":       {"GET", "/threads/" + strings.Repeat("a", 26), nil, 404, "no such thread", nil},
		"a thread's row":          {"GET", "/threads/12345", nil, 404, "no such thread", nil},
		"another kind of token":   {"GET", "/threads/" + strings.TrimSuffix(strings.TrimPrefix(p.Alias, "t-"), "@msg.example.com"), nil, 404, "no such thread", nil},
		"an address that is none": {"DELETE", "/members/tess/addresses/1", nil, 404, "no such address", nil},
		"a role of another play":  {"GET", "/productions/hamlet/roles/yorick", nil, 404, "no role", nil},
	} {
		a := p.ask(c.method, c.path, c.body, c.fields...)
		if a.status != c.status || !strings.Contains(a.raw, c.says) || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %d, want %d, saying %q\n%.1000s", name, a.status, c.status, c.says, a.raw)
		}
	}
	if n := len(p.Mailbox("tess", "INBOX")); n != inbox {
		t.Errorf("%d messages were filed", n-inbox)
	}
}

// Markup in every field stays what it is: text in JSON, text in mail.
func TestMarkupStaysText(t *testing.T) {
	p := newPlatform(t, nil)
	const markup = `<script>alert("1")</script>`
	a := p.ask("POST", "/members", member(doc{"name": markup})).want(201)
	if a.text("name") != markup || a.header.Get("Content-Type") != "application/json" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v\n%s", a.header, a.raw)
	}
	p.ask("POST", "/productions", doc{"slug": "x", "title": markup, "owner": "new"}).want(201)
	p.ask("POST", "/threads", thread(doc{"from": "new", "subject": markup, "text": markup, "production": "x"})).want(201)
	if m := p.Newest("tess"); !strings.Contains(m, "Content-Type: text/plain") || strings.Contains(m, "text/html") {
		t.Errorf("%s", m)
	}
}

// Two errors in one body are told together.
func TestAllThatIsWrongIsTold(t *testing.T) {
	p := newPlatform(t, nil)
	a := p.ask("POST", "/members", doc{"handle": "New", "name": "", "addresses": []string{}}).want(422)
	list, _ := a.body["errors"].([]any)
	if got := fmt.Sprint(list); len(list) != 3 || !strings.Contains(got, "/handle") || !strings.Contains(got, "/name") || !strings.Contains(got, "/addresses") {
		t.Error(a.raw)
	}
}
