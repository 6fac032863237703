package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/threading"
)

func TestAddMember(t *testing.T) {
	x := newFixture(t)
	m, err := x.AddMember(x.ctx, threading.Member{Handle: "tess", Name: "Tess"}, []string{"Tess@Mail.Example", "tess@büro.example"})
	if err != nil {
		t.Fatal(err)
	}
	if m.Status != threading.MemberActive || m.Alerts != threading.AlertsImmediate || m.DigestAt != "08:00" || m.Timezone != "UTC" {
		t.Errorf("defaults: %+v", m)
	}
	for _, find := range []func() (threading.Member, error){
		func() (threading.Member, error) { return x.Member(x.ctx, m.ID) },
		func() (threading.Member, error) { return x.MemberByHandle(x.ctx, "tess") },
		func() (threading.Member, error) { return x.MemberByAddress(x.ctx, "TESS@mail.example.") },
		func() (threading.Member, error) { return x.MemberByAddress(x.ctx, "tess@xn--bro-hoa.example") },
	} {
		if got, err := find(); err != nil || got != m {
			t.Errorf("found %+v, %v; want %+v", got, err, m)
		}
	}
	boxes, err := x.Mailboxes(x.ctx, m.ID)
	if err != nil || len(boxes) != len(threading.StandardMailboxes) || boxes[0].Name != threading.Inbox {
		t.Fatalf("mailboxes %+v, %v", boxes, err)
	}
	for _, b := range boxes {
		if !b.Subscribed || b.UIDValidity == 0 || b.UIDNext != 1 {
			t.Errorf("mailbox %+v", b)
		}
	}
}

func TestAddressesAreUniqueInEverySpelling(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	for _, spelling := range []string{"tess@mail.example", "TESS@MAIL.EXAMPLE", "Tess@mail.example.", `"tess"@mail.example`} {
		for what, err := range map[string]error{
			"AddAddress":            x.AddAddress(x.ctx, sam.ID, spelling),
			"AddAddress to oneself": x.AddAddress(x.ctx, tess.ID, spelling),
			"AddMember":             second(x.AddMember(x.ctx, threading.Member{Handle: "ann", Name: "Ann"}, []string{spelling})),
		} {
			if !errors.Is(err, ErrExists) {
				t.Errorf("%s(%s): %v, want ErrExists", what, spelling, err)
			}
		}
	}
	if _, err := x.MemberByHandle(x.ctx, "ann"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a member whose address was refused is there: %v", err)
	}
	// A +tag and a dot are part of an address.
	if err := x.AddAddress(x.ctx, sam.ID, "tess+casting@mail.example"); err != nil {
		t.Error(err)
	}
}

func TestErrorsNeverRepeatAnAddress(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	add := func(m threading.Member, addr string) error {
		return second(x.AddMember(x.ctx, m, []string{addr}))
	}
	bad := []string{"secret", "secret@", "secret@[192.0.2.1]", "se cret@mail.example", "secret@-.example", "secret\r\n@mail.example", strings.Repeat("secret", 50) + "@mail.example"}
	var errs []error
	for _, addr := range bad {
		errs = append(errs, x.AddAddress(x.ctx, tess.ID, addr), x.RemoveAddress(x.ctx, tess.ID, addr), x.SetPrimary(x.ctx, tess.ID, addr),
			add(threading.Member{Handle: "ann", Name: "Ann"}, addr), second(x.MemberByAddress(x.ctx, addr)))
	}
	if err := x.AddAddress(x.ctx, tess.ID, "secret@mail.example"); err != nil {
		t.Fatal(err)
	}
	errs = append(errs, x.AddAddress(x.ctx, sam.ID, "secret@mail.example"), x.RemoveAddress(x.ctx, sam.ID, "secret@mail.example"),
		x.SetPrimary(x.ctx, sam.ID, "secret@mail.example"), add(threading.Member{Handle: "ann", Name: "Ann"}, "secret@mail.example"),
		add(threading.Member{Handle: "ann", Name: "secret@mail.example"}, "ann@mail.example"))
	for i, err := range errs {
		if err == nil {
			t.Errorf("case %d is accepted", i)
		} else if strings.Contains(strings.ToLower(err.Error()), "secret") {
			t.Errorf("the error repeats an address: %v", err)
		}
	}
}

func TestPrimaryAddress(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	primary := func() string {
		t.Helper()
		list, err := x.Addresses(x.ctx, tess.ID)
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range list {
			if a.Primary != (i == 0) {
				t.Errorf("address %d of %d: primary is %v", i, len(list), a.Primary)
			}
		}
		return list[0].Real
	}
	if err := x.AddAddress(x.ctx, tess.ID, "Tess@Stage.Example"); err != nil {
		t.Fatal(err)
	}
	if got := primary(); got != "tess@mail.example" {
		t.Errorf("the first address is %s", got)
	}
	if err := x.SetPrimary(x.ctx, tess.ID, "tess@stage.example"); err != nil {
		t.Fatal(err)
	}
	if got := primary(); got != "Tess@Stage.Example" { // as it was written
		t.Errorf("the primary address is %s", got)
	}
	if err := x.SetPrimary(x.ctx, tess.ID, realAddress("sam")); !errors.Is(err, ErrNotFound) {
		t.Errorf("another's address as primary: %v", err)
	}
	if got := primary(); got != "Tess@Stage.Example" {
		t.Errorf("after a refusal the primary address is %s", got)
	}
	for addr, want := range map[string]error{"TESS@stage.example": ErrPrimary, realAddress("sam"): ErrNotFound, "nobody@mail.example": ErrNotFound, realAddress("tess"): nil} {
		if err := x.RemoveAddress(x.ctx, tess.ID, addr); !errors.Is(err, want) {
			t.Errorf("RemoveAddress(%s): %v, want %v", addr, err, want)
		}
	}
	if err := x.AddAddress(x.ctx, sam.ID, realAddress("tess")); err != nil {
		t.Errorf("an address that was removed is not free: %v", err)
	}
}

func TestMembersListsInPages(t *testing.T) {
	x := newFixture(t)
	for _, h := range []string{"cleo", "ann", "bob", "dee"} {
		x.member(h)
	}
	bob, _ := x.MemberByHandle(x.ctx, "bob")
	if err := x.RemoveMember(x.ctx, bob.ID); err != nil {
		t.Fatal(err)
	}
	var got []string
	for after := ""; ; {
		list, err := x.Members(x.ctx, after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 0 {
			break
		}
		for _, m := range list {
			got = append(got, m.Handle)
		}
		after = got[len(got)-1]
	}
	if strings.Join(got, " ") != "ann cleo dee" {
		t.Errorf("members %v", got)
	}
}

func TestChangeMember(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	tess.Name, tess.Status, tess.Alerts, tess.DigestAt, tess.Timezone, tess.Language = "Tess T.", threading.MemberSuspended, threading.AlertsDaily, "19:30", "Europe/Berlin", "de"
	x.change(tess)
	if got, err := x.Member(x.ctx, tess.ID); err != nil || got != tess {
		t.Errorf("got %+v, %v; want %+v", got, err, tess)
	}
	if _, err := x.ChangeMember(x.ctx, "nobody", func(*threading.Member) error { return nil }); !errors.Is(err, ErrNotFound) {
		t.Errorf("no such member: %v", err)
	}
}

func TestCredentials(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	set := func(label, verifier string) {
		t.Helper()
		if err := x.SetCredential(x.ctx, threading.Credential{MemberID: tess.ID, Kind: threading.CredentialPassword, Label: label, Verifier: verifier}); err != nil {
			t.Fatal(err)
		}
	}
	list := func() []threading.Credential {
		t.Helper()
		l, err := x.Credentials(x.ctx, tess.ID)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	set("", "one")
	set("phone", "two")
	set("", "three")
	l := list()
	if len(l) != 2 || l[0].Verifier != "three" || l[1].Verifier != "two" || !l[0].LastUsedAt.IsZero() {
		t.Fatalf("credentials %+v", l)
	}
	for _, step := range []struct {
		after time.Duration
		noted bool
	}{{0, true}, {59 * time.Minute, false}, {time.Minute, true}} {
		x.clock.advance(step.after)
		if err := x.TouchCredential(x.ctx, list()[0]); err != nil {
			t.Fatal(err)
		}
		if got := list()[0].LastUsedAt.Equal(x.clock.Now()); got != step.noted {
			t.Errorf("after %v: last use noted is %v", step.after, got)
		}
	}
}

func TestRemoveMember(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	f := x.start(tess, sam, "hello")
	f.Message.ForeignID = "abc@mail.example"
	f.Copies[1].ClientID = []byte("0123456789abcdef")
	thread := x.file(f)[0].ThreadID
	x.file(x.reply(thread, sam, tess, "hello yourself"))
	if err := x.SetCredential(x.ctx, threading.Credential{MemberID: tess.ID, Kind: threading.CredentialPassword, Verifier: "v"}); err != nil {
		t.Fatal(err)
	}
	if err := x.Hold(x.ctx, Held{MemberID: tess.ID, Recipient: "sam", Raw: []byte("x"), HeldAt: x.clock.Now()}, nil); err != nil {
		t.Fatal(err)
	}
	if err := x.RemoveMember(x.ctx, tess.ID); err != nil {
		t.Fatal(err)
	}
	for _, table := range erased {
		if n := x.count(table+" WHERE member_id = ?", tess.ID); n != 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	if n := x.count("messages WHERE foreign_id IS NOT NULL"); n != 0 {
		t.Error("the foreign Message-ID is left")
	}
	v, err := x.Thread(x.ctx, thread)
	if err != nil || len(v.Participants) != 2 || len(v.Chain) != 2 {
		t.Fatalf("the thread: %+v, %v", v, err)
	}
	if p, _ := v.Participant(tess.ID); p.Status != threading.MemberRemoved || p.Name != "" || p.Handle != "" || p.DisplayName() != threading.FormerMember {
		t.Errorf("who is left in the thread: %+v", p)
	}
	if n := len(x.entries(x.mailbox(sam, threading.Inbox))); n != 1 {
		t.Errorf("the other member has %d messages in INBOX", n)
	}
	if err := x.RemoveMember(x.ctx, tess.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a second time: %v", err)
	}
	x.member("tess") // handle and address are free again
}

func TestARemovedMemberGetsNothingNew(t *testing.T) {
	x := newFixture(t)
	tess := x.member("tess")
	if err := x.RemoveMember(x.ctx, tess.ID); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"AddAddress":    x.AddAddress(x.ctx, tess.ID, "new@mail.example"),
		"SetCredential": x.SetCredential(x.ctx, threading.Credential{MemberID: tess.ID, Kind: threading.CredentialPassword, Verifier: "v"}),
		"CreateMailbox": second(x.CreateMailbox(x.ctx, tess.ID, "new", threading.UseNone)),
		"ChangeMember":  second(x.ChangeMember(x.ctx, "tess", func(*threading.Member) error { return nil })),
	} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want ErrNotFound", what, err)
		}
	}
	if n := x.count("addresses"); n != 0 {
		t.Errorf("%d addresses of nobody", n)
	}
}

// database is all bytes of the file, its WAL and its index.
func (x *fixture) database() []byte {
	x.t.Helper()
	var all []byte
	for _, suffix := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(x.path + suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			x.t.Fatal(err)
		}
		all = append(all, b...)
	}
	return bytes.ToLower(all)
}

func TestNoRegisteredAddressIsEverOnDisk(t *testing.T) {
	x := newFixture(t)
	const first, more = "Tess.Secret@Hidden-Domain.Example", "other.secret@hidden-domain.example"
	tess, err := x.AddMember(x.ctx, threading.Member{Handle: "tess", Name: "Tess Tellingly"}, []string{first})
	if err != nil {
		t.Fatal(err)
	}
	sam := x.member("sam")
	check := func(when string, gone ...string) {
		t.Helper()
		all := x.database()
		for _, s := range append(gone, first, more, "hidden-domain", "tess.secret", "foreign.secret", realAddress("sam")) {
			if bytes.Contains(all, []byte(strings.ToLower(s))) {
				t.Errorf("%s: the database shows %q", when, s)
			}
		}
	}
	check("a new member")
	if err := errors.Join(x.AddAddress(x.ctx, tess.ID, more), x.SetPrimary(x.ctx, tess.ID, more)); err != nil {
		t.Fatal(err)
	}
	f := x.start(tess, sam, "hello")
	f.Message.ForeignID = "foreign.secret@hidden-domain.example"
	x.file(f)
	held := Held{MemberID: tess.ID, Recipient: "sam", Reason: "not aligned", Sender: first, Raw: []byte("From: " + first + "\r\n\r\n"), HeldAt: x.clock.Now()}
	if err := x.Hold(x.ctx, held, nil); err != nil {
		t.Fatal(err)
	}
	check("in use")
	if err := errors.Join(x.RemoveAddress(x.ctx, tess.ID, first), x.RemoveMember(x.ctx, tess.ID), x.Close()); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+x.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), "VACUUM"); err != nil {
		t.Fatal(err)
	}
	check("after removal", "tess tellingly")
}
