package store

import (
	"bytes"
	"database/sql"
	"os"
	"slices"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// Whatever tables there are, none keeps a row of a removed member's, but for who
// took part in a thread.
func TestRemovingAMemberLeavesNoRow(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	first := x.start(tess, sam, "hello")
	first.Pace = threading.Pace{ThreadsPerHour: 10}
	thread := x.file(first)[0].ThreadID
	x.file(x.reply(thread, sam, tess, "hello yourself"))
	x.put(x.mailbox(tess, "Drafts"), "what nobody else has", 0)
	x.do(x.Block(x.ctx, tess.ID, sam.ID))
	x.do(x.SetThreadAlerts(x.ctx, tess.ID, thread, threading.AlertsNever))
	x.do(second(x.NewSession(x.ctx, tess.ID, "a browser")))
	x.do(x.Hold(x.ctx, Held{MemberID: tess.ID, Recipient: "sam", Raw: []byte("x"), HeldAt: x.clock.Now()}, nil))
	x.do(second(x.CreateMailbox(x.ctx, tess.ID, "Later", threading.UseNone)))
	x.do(x.DeleteMailbox(x.ctx, tess.ID, "Later"))
	x.do(x.RemoveMember(x.ctx, tess.ID))
	for _, table := range tablesWith(t, x.read, "member_id") {
		if table == "participants" || table == "feed" {
			continue
		}
		if n := x.count(table+" WHERE member_id = ?", tess.ID); n != 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	if n := x.count("bodies"); n != 2 {
		t.Errorf("%d bodies are left; the other member has 2", n)
	}
}

// tablesWith lists the tables that have a column.
func tablesWith(t *testing.T, db *sql.DB, column string) []string {
	t.Helper()
	rows, err := db.Query("SELECT m.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = ?", column)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	if rows.Err() != nil || !slices.Contains(list, "entries") {
		t.Fatalf("tables %v, %v", list, rows.Err())
	}
	return list
}

// What a removed member had set says nothing about them any more, and what they
// said of others goes with the report.
func TestRemovingAMemberForgetsSettings(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	first, second := x.file(x.start(sam, tess, "pay me first"))[0].ThreadID, x.file(x.start(sam, tess, "pay me"))[0].ThreadID
	var reports []threading.ID
	for _, thread := range []threading.ID{first, second} {
		r, _, err := x.AddReport(x.ctx, threading.Report{ReporterID: tess.ID, OtherID: sam.ID, ThreadID: thread, Via: threading.ReportPage, Reason: "he has my number"})
		x.do(err)
		reports = append(reports, r.ID)
	}
	tess.Alerts, tess.DigestAt, tess.Timezone, tess.Language, tess.FirstContact = threading.AlertsDaily, "07:30", "Europe/Berlin", "de", threading.FirstContactOwn
	x.change(tess)
	x.do(x.ResolveReport(x.ctx, reports[0], "talked to"))
	x.do(x.RemoveMember(x.ctx, tess.ID))
	m, err := x.Member(x.ctx, tess.ID)
	if err != nil || m.Alerts != threading.AlertsNever || m.DigestAt != "" || m.Timezone != "" || m.Language != "" || m.FirstContact != threading.FirstContactAnyone {
		t.Errorf("%+v, %v", m, err)
	}
	if n := x.count("members WHERE id = ? AND digest_due + digest_since + digest_last + alerts_from > 0", tess.ID); n != 0 {
		t.Error("when their digests were is left")
	}
	reason := func(id threading.ID, want string) {
		t.Helper()
		if r, err := x.Report(x.ctx, id); err != nil || r.Reason != want {
			t.Errorf("the reason is %q, %v, want %q", r.Reason, err, want)
		}
	}
	reason(reports[0], "")
	reason(reports[1], "he has my number")
	x.do(x.ResolveReport(x.ctx, reports[1], "suspended"))
	reason(reports[1], "")
}

// What was erased is not in the file any more either.
func TestErasedDataIsOverwritten(t *testing.T) {
	x := newFixture(t)
	tess, ann := x.member("tess"), x.member("ann")
	for _, m := range []threading.Member{tess, ann} {
		_, _, err := x.Append(x.ctx, m.ID, x.mailbox(m, "Drafts").ID, NewItem{Header: []byte("Subject: a secret of " + m.Handle + "'s\r\n\r\n"), Body: x.body("x")})
		x.do(err)
	}
	x.do(x.RemoveMember(x.ctx, tess.ID))
	x.do(x.Close())
	b, err := os.ReadFile(x.path)
	x.do(err)
	if bytes.Contains(b, []byte("a secret of tess's")) || bytes.Contains(b, []byte("Name of tess")) {
		t.Error("what was erased is still in the file")
	}
	if !bytes.Contains(b, []byte("a secret of ann's")) {
		t.Error("this test looks for what it could not find")
	}
}

// Who made a report and left has left the evidence; it goes when it is resolved.
func TestEvidenceOutlivesItsReporter(t *testing.T) {
	x := newFixture(t)
	tess, sam := x.member("tess"), x.member("sam")
	thread := x.file(x.start(sam, tess, "pay me first"))[0].ThreadID
	r, _, err := x.AddReport(x.ctx, threading.Report{ReporterID: tess.ID, OtherID: sam.ID, ThreadID: thread, Via: threading.ReportPage})
	x.do(err)
	x.do(x.RemoveMember(x.ctx, tess.ID))
	items, err := x.Evidence(x.ctx, r, 10)
	if err != nil || len(items) != 1 || string(x.readBody(items[0].BodyID, 0, -1)) != "pay me first" {
		t.Fatalf("evidence %v, %v", items, err)
	}
	x.do(x.ResolveReport(x.ctx, r.ID, "suspended"))
	x.clock.advance(2 * orphanAge)
	x.sweep()
	if items, err := x.Evidence(x.ctx, r, 10); err != nil || len(items) != 0 {
		t.Errorf("after it is resolved: %v, %v", items, err)
	}
}
