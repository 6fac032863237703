package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/smtpd/dialog"
)

const token = "a token of the platform's"

// described is openapi.json, against which every answer in these tests is held.
type described struct {
	Paths map[string]map[string]struct {
		OperationID string
		Parameters  []any
		RequestBody struct{ Content map[string]any }
		Responses   map[string]struct {
			Ref     string `json:"$ref"`
			Content map[string]any
		}
	}
	Components struct {
		Responses map[string]struct{ Content map[string]any }
	}
	compiler *jsonschema.Compiler

	mu   sync.Mutex
	seen map[string]bool // METHOD PATH STATUS that was answered
}

const location = "https://api.example/openapi.json"

var description = sync.OnceValue(func() *described {
	d := &described{compiler: jsonschema.NewCompiler(), seen: map[string]bool{}}
	if err := json.Unmarshal(openAPI, d); err != nil {
		panic(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(openAPI))
	if err == nil {
		d.compiler.AssertFormat()
		err = d.compiler.AddResource(location, doc)
	}
	if err != nil {
		panic(err)
	}
	return d
})

// check holds an answer against the description.
func (d *described) check(t testing.TB, method, pattern string, res *http.Response, body []byte) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	path := strings.TrimPrefix(pattern, Prefix)
	op, ok := d.Paths[path][strings.ToLower(method)]
	if !ok {
		t.Fatalf("%s %s is not described", method, path)
	}
	status := fmt.Sprint(res.StatusCode)
	r, ok := op.Responses[status]
	if !ok {
		t.Errorf("%s %s: %s is not described:\n%s", method, path, status, body)
		return
	}
	d.seen[method+" "+path+" "+status] = true
	pointer, content := "/paths/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(path)+"/"+strings.ToLower(method)+"/responses/"+status, r.Content
	if r.Ref != "" {
		pointer = strings.TrimPrefix(r.Ref, "#")
		content = d.Components.Responses[status].Content
	}
	kind := res.Header.Get("Content-Type")
	if len(content) == 0 {
		if len(body) > 0 || kind != "" {
			t.Errorf("%s %s: %s has a body that is not described:\n%s", method, path, status, body)
		}
		return
	}
	if content[kind] == nil {
		t.Errorf("%s %s: %s is %q", method, path, status, kind)
		return
	}
	schema, err := d.compiler.Compile(location + "#" + pointer + "/content/" + strings.ReplaceAll(kind, "/", "~1") + "/schema")
	if err != nil {
		t.Fatalf("%s: %v", pointer, err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(v)
	}
	if err != nil {
		t.Errorf("%s %s: %s is not as described: %v\n%s", method, path, status, err, body)
	}
}

// The description names every operation and its success, and no other.
func TestTheDescriptionNamesWhatThereIs(t *testing.T) {
	d := description()
	want := map[string]bool{}
	for _, op := range operations {
		key := op.method + " " + op.path
		want[key] = true
		described, ok := d.Paths[op.path][strings.ToLower(op.method)]
		if !ok {
			t.Errorf("%s is not described", key)
			continue
		}
		if _, ok := described.Responses[fmt.Sprint(op.status)]; !ok {
			t.Errorf("%s: %d is not described", key, op.status)
		}
		if described.OperationID == "" || (op.method == "PATCH" || op.method == "PUT") && described.RequestBody.Content == nil {
			t.Errorf("%s has no name or no body", key)
		}
	}
	for path, methods := range d.Paths {
		for method := range methods {
			if key := strings.ToUpper(method) + " " + path; !want[key] {
				t.Errorf("%s is described, and there is no such thing", key)
			}
		}
	}
	pointers := regexp.MustCompile(`"\$ref": "#(/[^"]+)"`)
	for _, m := range pointers.FindAllSubmatch(openAPI, -1) {
		if !strings.HasPrefix(string(m[1]), "/components/schemas/") {
			continue
		}
		if _, err := d.compiler.Compile(location + "#" + string(m[1])); err != nil {
			t.Errorf("%s: %v", m[1], err)
		}
	}
}

// After all tests, each operation was seen to succeed, and each kind of problem
// was seen.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && !filtered() {
		d := description()
		for _, op := range operations {
			if key := fmt.Sprintf("%s %s %d", op.method, op.path, op.status); !d.seen[key] {
				fmt.Println("no test has seen", key)
				code = 1
			}
		}
		for _, status := range slices.Sorted(maps.Keys(d.Components.Responses)) {
			found := status == "500" // a fault of ours
			for key := range d.seen {
				found = found || strings.HasSuffix(key, " "+status)
			}
			if !found {
				fmt.Println("no test has seen a", status)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// filtered reports whether only some of the tests run.
func filtered() bool {
	for _, a := range os.Args {
		if v, ok := strings.CutPrefix(a, "-test.run="); ok && v != "" && v != "." || strings.HasPrefix(a, "-test.fuzz=") || strings.HasPrefix(a, "-test.skip=") {
			return true
		}
	}
	return false
}

// platform is the platform's program, which asks an API over a stage.
type platform struct {
	*dialog.Stage
	s    *Server
	base string
}

func newPlatform(t testing.TB, change func(*Options)) *platform {
	t.Helper()
	stage := dialog.New(t, func(o *relay.Options) { o.BaseURL = "https://" + dialog.Domain })
	return onStage(stage, change)
}

// onStage serves one more API over the stage.
func onStage(stage *dialog.Stage, change func(*Options)) *platform {
	o := Options{Pipeline: stage.Pipeline, Store: stage.Store, Domain: dialog.Domain, Tokens: []string{"an older one", token}, PerMinute: 100000, Logger: stage.Logger, Now: stage.Now}
	if change != nil {
		change(&o)
	}
	p := &platform{Stage: stage, s: New(o)}
	server := httptest.NewServer(p.s)
	stage.Cleanup(server.Close)
	p.base = server.URL + Prefix
	return p
}

// answered is an answer of the API.
type answered struct {
	t      testing.TB
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// real are the real addresses of the stage's members: no answer has one.
var real = regexp.MustCompile(`(?i)(sam|tess)\.real|otto@actor|agency\.example|mail\.example|actor\.example|@elsewhere`)

// ask sends a request. body is a string as it is, or something to be written as
// JSON; fields are header fields "Name: value".
func (p *platform) ask(method, path string, body any, fields ...string) answered {
	p.Helper()
	var r io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			p.Fatal(err)
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequest(method, p.base+path, r)
	if err != nil {
		p.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if r != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Set(name, value)
		if value == "" {
			req.Header.Del(name)
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	a := answered{t: p.TB, status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	if _, pattern := p.s.mux.Handler(req); strings.Contains(pattern, " ") && method != http.MethodHead && !strings.Contains(pattern, "openapi.json") && !strings.Contains(pattern, "problems") {
		description().check(p.TB, method, pattern[strings.IndexByte(pattern, ' ')+1:], res, raw)
	}
	if leak := real.FindString(a.raw + fmt.Sprint(a.header)); leak != "" {
		p.Errorf("%s %s: the answer shows %q:\n%s", method, path, leak, a.raw)
	}
	return a
}

// want checks the status.
func (a answered) want(status int) answered {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%d, want %d:\n%s", a.status, status, a.raw)
	}
	return a
}

// text is a member of the answer.
func (a answered) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// items are the values of one name in a page's items.
func (a answered) items(name string) []string {
	a.t.Helper()
	out := []string{}
	list, _ := a.body["items"].([]any)
	for _, it := range list {
		m, _ := it.(map[string]any)
		out = append(out, fmt.Sprint(m[name]))
	}
	return out
}

// doc is a body.
type doc = map[string]any
