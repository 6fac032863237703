package roster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

func newStore(t testing.TB) *store.Store {
	t.Helper()
	keys, err := seal.New(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Options{DSN: "sqlite:" + filepath.Join(t.TempDir(), "t.db"), Keyring: keys, IDs: threading.NewIDSource()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// importing imports a text and returns the rejected lines as they are told.
func importing(t testing.TB, o Options, jsonl bool, text string) (Result, []string, error) {
	t.Helper()
	var rejected []string
	o.Domain = "msg.example.com"
	o.Language = func(tag string) error {
		if tag != "de" {
			return errors.New("is none of ours")
		}
		return nil
	}
	o.Rejected = func(r Rejection) { rejected = append(rejected, fmt.Sprintf("%d %s: %s", r.Line, r.Handle, r.Reason)) }
	got, err := Import(t.Context(), strings.NewReader(text), jsonl, o)
	got.Octets = 0
	return got, rejected, err
}

const hash = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func TestEveryRejectedLineIsTold(t *testing.T) {
	s := newStore(t)
	if _, err := s.AddMember(t.Context(), threading.Member{Handle: "sam", Name: "Sam"}, []string{"sam@agency.example"}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		jsonl bool
		text  string
		want  []string
		count Result
	}{
		"CSV": {false, "\ufeffhandle,name,address,alerts,digest_at,timezone,password_hash\n" + strings.Join([]string{
			"tess,Tess Talent,tess@mail.example tess@work.example,daily,07:30,Europe/Berlin,\"" + hash + "\"", // 2
			"sam,Sam Casting,SAM@agency.example,,,,",                                                          // 3: there
			"sam,Another Sam,another@agency.example,,,,",
			"otto,Otto,tess@work.example,,,,",
			"Ann,Ann,ann@mail.example,,,,",
			"bob,bob@mail.example,bob@mail.example,,,,",
			"bob,Bob,bob@msg.example.com,,,,",
			"bob,Bob,,,,,",
			"bob,Bob,bob,,,,",
			"bob,Bob,bob@mail.example,sometimes,,,",
			"bob,Bob,bob@mail.example,,25:00,,",
			"bob,Bob,bob@mail.example,,,Mars/Olympus,",
			"bob,Bob,bob@mail.example,,,,plain",
			"bob,Bob,bob@mail.example",
			`bob,"Bob "the" Builder",bob@mail.example,,,,`,
			"postmaster,Post,post@mail.example,,,,",
			"t-bob,Bob,bob@mail.example,,,,",
			"bob,\"Bob\nBuilder\",bob@mail.example,,,,", // 19 and 20
			"bob@mail.example,Bob,bob@mail.example,,,,",
			"bob,Bob B.,bob@mail.example,,,,", // 22
		}, "\n"), []string{
			"4 sam: the handle belongs to a member with another address",
			"5 otto: an address is registered with another member",
			`6 : the handle "Ann" has the character 'A': use lower-case letters a-z, digits and hyphens`,
			"7 bob: the name contains an @: a name is shown to others and must not hold an e-mail address",
			"8 bob: a real address can't be in the relay's own domain msg.example.com: give the member's mailbox elsewhere",
			"9 bob: there is no address",
			"10 bob: the address must look like name@example.com",
			"11 bob: alerts is no alert setting: write immediate, daily or never",
			"12 bob: digest_at is not a time of day: write HH:MM, such as 08:00",
			"13 bob: timezone is not a time zone: write a name such as Europe/Berlin",
			"14 bob: password_hash is not an argon2id hash such as $argon2id$v=19$m=19456,t=2,p=1$SALT$KEY, of at most 1 GiB and 16 passes",
			"15 : it has 3 fields, and the first line names 7 columns",
			`16 : it can't be read as CSV: extraneous or missing " in quoted-field`,
			`17 : the handle "postmaster" is reserved (RFC 2142)`,
			`18 : the handle "t-bob" begins with "t-" or "b-", which is reserved for the relay's own addresses`,
			"19 bob: the name contains a control character",
			"21 : the handle looks like an e-mail address: use letters a-z, digits and hyphens only",
		}, Result{Members: 20, Added: 2, Present: 1, Rejected: 17}},
		"CSV with semicolons": {false, "handle;name;address;first_contact\r\ncarl;Carl;carl@mail.example;own\r\n", nil, Result{Members: 1, Added: 1}},
		"CSV with an open quote": {false, "handle,name,address\ndora,\"Dora,dora@mail.example\nemil,Emil,emil@mail.example\n",
			[]string{`2 : it can't be read as CSV: extraneous or missing " in quoted-field (all up to line 3 is lost with it)`}, Result{Members: 1, Rejected: 1}},
		"JSONL": {true, strings.Join([]string{
			`{"handle": "finn", "name": "Finn", "address": "finn@mail.example"}`,
			``,
			`{"handle": "gina", "name": "Gina", "addresses": ["gina@mail.example", "gina@work.example"], "alerts": "never"}`,
			`{"handle": "hans", "name": 7, "address": "hans@mail.example"}`,
			`{"handle": "hans", "name": "Hans", "addresses": "hans@mail.example"}`,
			`{"handle": "hans", "name": "Hans", "adress": "hans@mail.example"}`,
			`{"hans@mail.example": "Hans"}`,
			`["hans"]`,
			`{"handle": "hans"`,
			`{"handle": "hans", "name": "Hans", "address": "hans@mail.example"} {}`,
			`{"handle": "hans", "name": "Hans"}`,
			`{"handle": "hans", "name": "Hans", "address": "hans@mail.example", "language": "tlh"}`,
			`{"handle": "hans", "name": "Hans", "address": "hans@mail.example", "first_contact": "nobody"}`,
			`{"handle": "ida", "name": "Ida", "address": "ida@mail.example", "language": "de"}`,
		}, "\n"), []string{
			"4 : name is a number, and must be a string",
			"5 : addresses is a string, and must be a list of strings",
			`6 : it has the unknown field "adress"`,
			"7 : it has an unknown field",
			`8 : it is not an object such as {"handle": "tess", …}`,
			"9 : it is not valid JSON",
			"10 : something follows the object: each line holds one",
			"11 hans: there is no address",
			"12 hans: language is none of ours",
			"13 hans: first_contact is no setting of first contact: write anyone or own",
		}, Result{Members: 13, Added: 3, Rejected: 10}},
	} {
		for _, trial := range []bool{true, false} {
			got, rejected, err := importing(t, Options{Store: s, Trial: trial}, c.jsonl, c.text)
			if err != nil || !reflect.DeepEqual(rejected, c.want) || got != c.count {
				t.Errorf("%s, trial %v: %+v, %v, want %+v\n%s\nwant\n%s", name, trial, got, err, c.count, strings.Join(rejected, "\n"), strings.Join(c.want, "\n"))
			}
		}
	}
	m, err := s.MemberByHandle(t.Context(), "tess")
	if err != nil || m.Name != "Tess Talent" || m.Alerts != threading.AlertsDaily || m.DigestAt != "07:30" || m.Timezone != "Europe/Berlin" {
		t.Errorf("%+v, %v", m, err)
	}
	if carl, err := s.MemberByHandle(t.Context(), "carl"); err != nil || carl.FirstContact != threading.FirstContactOwn {
		t.Errorf("%+v, %v", carl, err)
	}
	if a, err := s.Addresses(t.Context(), m.ID); err != nil || len(a) != 2 || a[0].Real != "tess@mail.example" || !a[0].Primary || a[1].Primary {
		t.Errorf("%+v, %v", a, err)
	}
	if c, err := s.Credentials(t.Context(), m.ID); err != nil || len(c) != 1 || c[0].Verifier != hash || c[0].Kind != threading.CredentialPassword {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestFilesThatCantBeImported(t *testing.T) {
	for name, c := range map[string]struct {
		jsonl      bool
		text, says string
	}{
		"empty":             {false, "", "line 1: the file is empty"},
		"no column names":   {false, "tess,Tess,tess@mail.example\n", "line 1: column 1 is none that is known: write address, alerts, digest_at, first_contact, handle, language, name, password_hash, timezone"},
		"no handle":         {false, "name,address\n", "line 1: the column handle is missing"},
		"a column twice":    {false, "handle,name,name,address\n", "line 1: the column name is there twice"},
		"an endless record": {false, "handle,name,address\nann,Ann,ann@mail.example\n\"" + strings.Repeat("x\n", 200000), "after line 2: the record is longer than 65536 octets: perhaps a quote is not closed"},
		"an endless line":   {true, `{"handle": "` + strings.Repeat("x", 100000), "line 1: the line is longer than 65536 octets"},
	} {
		_, _, err := importing(t, Options{Store: newStore(t)}, c.jsonl, c.text)
		if err == nil || !strings.HasPrefix(err.Error(), c.says) || strings.Contains(err.Error(), "@") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// roll is a CSV file of n members.
func roll(n int) string {
	var b strings.Builder
	b.WriteString("handle,name,address\n")
	for i := range n {
		fmt.Fprintf(&b, "member-%d,Member %d,member.%d@mail%d.example\n", i, i, i, i%100)
	}
	return b.String()
}

// An import that is cut off goes on when it is run again, and a third time
// changes nothing.
func TestImportIsRunAgain(t *testing.T) {
	s, text := newStore(t), roll(2500)
	ctx, stop := context.WithCancel(t.Context())
	first, err := Import(ctx, strings.NewReader(text), false, Options{Store: s, Domain: "msg.example.com", Progress: func(r Result) {
		if r.Members == 2*batch {
			stop()
		}
	}})
	if !errors.Is(err, context.Canceled) || first.Added != 2*batch {
		t.Fatalf("%+v, %v", first, err)
	}
	for _, want := range []Result{{Members: 2500, Added: 500, Present: 2000}, {Members: 2500, Present: 2500}} {
		if got, _, err := importing(t, Options{Store: s}, false, text); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}

func TestUpdate(t *testing.T) {
	s := newStore(t)
	steps := []struct {
		update bool
		line   string
		want   Result
	}{
		{false, `{"handle": "tess", "name": "Tess", "address": "tess@mail.example", "alerts": "daily"}`, Result{Members: 1, Added: 1}},
		{false, `{"handle": "tess", "name": "Tess T.", "address": "tess@mail.example"}`, Result{Members: 1, Present: 1}},
		{true, `{"handle": "tess", "name": "Tess T.", "addresses": ["tess@work.example", "tess@mail.example"], "first_contact": "own"}`, Result{Members: 1, Updated: 1}},
		{true, `{"handle": "tess", "name": "Other", "address": "other@mail.example"}`, Result{Members: 1, Rejected: 1}},
	}
	for _, c := range steps {
		if got, _, err := importing(t, Options{Store: s, Update: c.update}, true, c.line); err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.line, got, err)
		}
	}
	m, err := s.MemberByHandle(t.Context(), "tess")
	if err != nil || m.Name != "Tess T." || m.Alerts != threading.AlertsDaily || m.FirstContact != threading.FirstContactOwn {
		t.Errorf("%+v, %v", m, err)
	}
	if a, err := s.Addresses(t.Context(), m.ID); err != nil || len(a) != 2 || a[0].Real != "tess@work.example" || !a[0].Primary {
		t.Errorf("%+v, %v", a, err)
	}
}

// A trial knows what is in the file twice, however far apart, and writes nothing.
func TestTrialAcrossBatches(t *testing.T) {
	s := newStore(t)
	text := roll(batch) + "member-7,Member 7,member.7@mail7.example\nmember-8,Eight,eight@mail.example\nnine,Nine,member.9@mail9.example\n"
	for _, trial := range []bool{true, false} {
		got, rejected, err := importing(t, Options{Store: s, Trial: trial}, false, text)
		if want := (Result{Members: batch + 3, Added: batch, Present: 1, Rejected: 2}); err != nil || got != want || len(rejected) != 2 {
			t.Errorf("trial %v: %+v, %v, %q", trial, got, err, rejected)
		}
		if list, err := s.Members(t.Context(), "", 10); err != nil || trial && len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
	}
}

// FuzzImport: no file makes it panic, and each member is counted once.
func FuzzImport(f *testing.F) {
	f.Add(false, "handle,name,address\ntess,Tess,tess@mail.example\n")
	f.Add(false, "handle;name;address\n\"tess;Tess;\n")
	f.Add(true, `{"handle":"tess","name":"Tess","addresses":["tess@mail.example"]}`)
	f.Fuzz(func(t *testing.T, jsonl bool, text string) {
		var lines reader = newJSONReader(strings.NewReader(text))
		if !jsonl {
			var err error
			if lines, err = newCSVReader(strings.NewReader(text)); err != nil {
				return
			}
		}
		im := &importer{o: Options{Domain: "msg.example.com", Language: func(string) error { return nil }}}
		for n := 0; ; n++ {
			r, err := lines.next()
			if err != nil {
				return
			}
			if _, err := im.check(r); err != nil && strings.Contains(text, "@") && strings.Contains(err.Error(), "x@y.example") {
				t.Errorf("the reason holds an address: %v", err)
			}
			if n > len(text) {
				t.Fatal("it does not end")
			}
		}
	})
}

// BenchmarkImport is members a second out of a CSV file; BenchmarkRawRows in
// threading/store is what the same rows take without anything around them.
func BenchmarkImport(b *testing.B) {
	s, text := newStore(b), roll(b.N)
	b.ResetTimer()
	got, rejected, err := importing(b, Options{Store: s}, false, text)
	if err != nil || got.Added != b.N {
		b.Fatal(got, rejected, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "members/s")
}
