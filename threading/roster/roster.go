// Package roster brings members into the store from a file.
//
// A file is CSV with a line of column names (comma or semicolon between them),
// or JSONL: one object a line. A member needs a handle, a name and an address;
// alerts, digest_at, timezone, first_contact, language and password_hash may follow. Of several addresses
// the first is the primary one: in CSV they stand in one field with spaces or
// semicolons between them, in JSONL in the list addresses.
//
// Import reads as it goes and holds one batch in memory. Each batch is one
// transaction, on disk before the next is read. A member who is there already,
// known by the handle and an address, is left as they are: an import that was
// cut off is run again and goes on where it stopped. A line that can't be
// imported is told with its number and the reason, which names no address,
// and the others are imported all the same.
package roster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// batch is how many members share a transaction.
const batch = 1000

// maxRecord bounds one member in the file, in octets; maxAddresses the
// addresses of one.
const (
	maxRecord    = 64 << 10
	maxAddresses = 20
)

// Options configure an import.
type Options struct {
	Store  *store.Store
	Domain string // of the relay: no real address is in it
	Update bool   // members who are there get what the file says
	Trial  bool   // nothing is written
	// Language says why members can't be written to in a language; nil: in none
	// but the installation's.
	Language func(tag string) error
	// Rejected is told of each line that is not imported, in the file's order.
	Rejected func(Rejection)
	// Progress, if set, is told after each batch.
	Progress func(Result)
}

// Rejection is a line that was not imported.
type Rejection struct {
	Line   int    `json:"line"` // where it begins, from 1
	Handle string `json:"handle"`
	Reason string `json:"reason"`
}

// Result counts what became of the members in a file.
type Result struct {
	Members  int   `json:"members"`
	Added    int   `json:"added"`
	Updated  int   `json:"updated"`
	Present  int   `json:"present"`
	Rejected int   `json:"rejected"`
	Octets   int64 `json:"-"` // read of the file
}

// record is a member as it stands in a file.
type record struct {
	line         int
	handle, name string
	addresses    []string
	alerts       string
	digestAt     string
	timezone     string
	firstContact string
	language     string
	passwordHash string
	problem      string // why it can't be read
}

// reader reads the records of a file, one after another. io.EOF ends them; any
// other error ends the import.
type reader interface{ next() (record, error) }

// Import imports r, which is CSV or, with jsonl, JSONL. What it returns with an
// error is what was done before.
func Import(ctx context.Context, r io.Reader, jsonl bool, o Options) (Result, error) {
	counted := &counter{r: r}
	var lines reader
	var err error
	if jsonl {
		lines = newJSONReader(counted)
	} else if lines, err = newCSVReader(counted); err != nil {
		return Result{}, err
	}
	if o.Language == nil {
		o.Language = func(string) error { return errors.New("can't be chosen here") }
	}
	im := &importer{o: o, tried: map[string][]string{}, owner: map[string]string{}}
	for end := false; !end; {
		if err := ctx.Err(); err != nil {
			return im.result, fmt.Errorf("stopped: %w", err)
		}
		var list []record
		for len(list) < batch && !end {
			rec, err := lines.next()
			switch {
			case errors.Is(err, io.EOF):
				end = true
			case err != nil:
				return im.result, err
			default:
				list = append(list, rec)
			}
		}
		if err := im.put(ctx, list); err != nil {
			return im.result, err
		}
		im.result.Octets = counted.n
		if o.Progress != nil {
			o.Progress(im.result)
		}
	}
	return im.result, nil
}

type importer struct {
	o      Options
	result Result
	// Of a trial: what earlier batches would have added, as canonical addresses
	// by handle and the other way round.
	tried map[string][]string
	owner map[string]string
}

// put imports a batch.
func (im *importer) put(ctx context.Context, list []record) error {
	var members []store.NewMember
	outcomes := make([]store.Enrolled, len(list))
	var asked []int // indexes of list that the store is asked about
	for i, r := range list {
		m, err := im.check(r)
		if err == nil {
			if e, known := im.triedBefore(m); known {
				outcomes[i] = e
				continue
			}
			members, asked = append(members, m), append(asked, i)
			continue
		}
		outcomes[i].Err = err
	}
	if len(members) > 0 {
		done, err := im.o.Store.PutMembers(ctx, members, im.o.Update, im.o.Trial)
		if err != nil {
			return err
		}
		for i, e := range done {
			outcomes[asked[i]] = e
			if im.o.Trial && e.Enrolment != store.EnrolRefused {
				im.noteTried(members[i])
			}
		}
	}
	for i, e := range outcomes {
		im.count(list[i], e)
	}
	return nil
}

func (im *importer) count(r record, e store.Enrolled) {
	im.result.Members++
	switch e.Enrolment {
	case store.EnrolAdded:
		im.result.Added++
	case store.EnrolUpdated:
		im.result.Updated++
	case store.EnrolPresent:
		im.result.Present++
	default:
		im.result.Rejected++
		handle := r.handle
		if threading.CheckSlug(handle) != nil {
			handle = "" // it may be anything, an address too
		}
		im.o.Rejected(Rejection{Line: r.line, Handle: handle, Reason: strings.TrimSuffix(e.Err.Error(), ": "+store.ErrExists.Error())})
	}
}

// check says what is wrong with a record, in the words of a person.
func (im *importer) check(r record) (store.NewMember, error) {
	m := store.NewMember{
		Member:    threading.Member{Handle: r.handle, Name: strings.TrimSpace(r.name), Alerts: threading.Alerts(r.alerts), DigestAt: r.digestAt, Timezone: r.timezone, FirstContact: threading.FirstContact(r.firstContact), Language: r.language},
		Addresses: r.addresses, Verifier: r.passwordHash,
	}
	if r.problem != "" {
		return m, errors.New(r.problem)
	}
	for _, c := range []struct {
		what, value string
		check       func(string) error
		may         bool // be empty
	}{
		{"the handle", r.handle, threading.CheckHandle, false},
		{"the name", m.Name, threading.CheckName, false},
		{"alerts", r.alerts, threading.CheckAlerts, true},
		{"digest_at", r.digestAt, threading.CheckDigestAt, true},
		{"timezone", r.timezone, threading.CheckTimezone, true},
		{"first_contact", r.firstContact, threading.CheckFirstContact, true},
		{"language", r.language, im.o.Language, true},
		{"password_hash", r.passwordHash, seal.CheckVerifier, true},
	} {
		if c.value == "" && c.may {
			continue
		}
		if err := c.check(c.value); err != nil {
			return m, fmt.Errorf("%s %w", c.what, err)
		}
	}
	switch n := len(r.addresses); {
	case n == 0:
		return m, errors.New("there is no address")
	case n > maxAddresses:
		return m, fmt.Errorf("there are %d addresses: at most %d are allowed", n, maxAddresses)
	}
	for _, a := range r.addresses {
		if err := threading.CheckReal(a, im.o.Domain); err != nil {
			return m, err
		}
	}
	return m, nil
}

// triedBefore is what would become of a member of whom an earlier batch of a
// trial has spoken.
func (im *importer) triedBefore(m store.NewMember) (e store.Enrolled, known bool) {
	had, known := im.tried[m.Handle]
	one := false
	for _, a := range m.Addresses {
		canonical, _ := threading.Canonical(a)
		owner, taken := im.owner[canonical]
		if taken && owner != m.Handle {
			return store.Enrolled{Err: store.ErrAddressTaken}, true
		}
		one = one || taken
	}
	switch {
	case !known || len(had) == 0:
		return e, false
	case !one:
		return store.Enrolled{Err: store.ErrHandleTaken}, true
	case im.o.Update:
		return store.Enrolled{Enrolment: store.EnrolUpdated}, true
	}
	return store.Enrolled{Enrolment: store.EnrolPresent}, true
}

func (im *importer) noteTried(m store.NewMember) {
	for _, a := range m.Addresses {
		canonical, _ := threading.Canonical(a)
		im.tried[m.Handle] = append(im.tried[m.Handle], canonical)
		im.owner[canonical] = m.Handle
	}
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
