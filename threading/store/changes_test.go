package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stagedoor/stagedoor/threading"
)

// modelEntry is what the model knows of an entry.
type modelEntry struct {
	flags    threading.Flags
	keywords []string
	changed  int // the step that made or changed it
}

// modelBox is a mailbox of the model.
type modelBox struct {
	threading.Mailbox
	next    uint32
	entries map[uint32]modelEntry
	gone    map[uint32]int // UID -> the step that expunged it
}

// view is a session that is some way behind.
type view struct {
	box    int
	step   int
	modseq uint64
}

// model runs each operation on the store and on maps.
type model struct {
	*fixture
	r     *rand.Rand
	step  int
	boxes []*modelBox
	views []view
	log   []string
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{fixture: newFixture(t), r: rand.New(rand.NewPCG(seed, 1))}
	tess := m.member("tess")
	for _, name := range []string{threading.Inbox, "Archives", "Trash"} {
		m.boxes = append(m.boxes, &modelBox{Mailbox: m.mailbox(tess, name), next: 1, entries: map[uint32]modelEntry{}, gone: map[uint32]int{}})
	}
	for i := range 12 {
		m.views = append(m.views, view{box: i % len(m.boxes)})
	}
	return m
}

// set returns some of the UIDs that the mailbox has or had, and others.
func (m *model) set(b *modelBox) threading.UIDSet {
	if m.r.IntN(8) == 0 && len(b.entries) < 50 { // else copies double the mailboxes
		return everyUID
	}
	var list []uint32
	for range 1 + m.r.IntN(12) {
		first := 1 + m.r.Uint32N(b.next+2)
		for k := range 1 + m.r.Uint32N(4) {
			list = append(list, first+k)
		}
	}
	return threading.UIDsOf(list)
}

func (m *model) flags() (threading.Flags, []string) {
	var words []string
	if m.r.IntN(3) == 0 {
		words = []string{[]string{"$Work", "$Play", "$MDNSent"}[m.r.IntN(3)]}
	}
	return threading.Flags(m.r.IntN(32)), words
}

func (m *model) add(b *modelBox, flags threading.Flags, keywords []string) uint32 {
	uid := b.next
	b.next++
	b.entries[uid] = modelEntry{flags: flags, keywords: keywords, changed: m.step}
	return uid
}

func (m *model) remove(b *modelBox, uid uint32) {
	delete(b.entries, uid)
	b.gone[uid] = m.step
}

// in lists the UIDs of the set that are there, ascending.
func (b *modelBox) in(set threading.UIDSet) []uint32 {
	var list []uint32
	for _, uid := range slices.Sorted(maps.Keys(b.entries)) {
		if set.Contains(uid) {
			list = append(list, uid)
		}
	}
	return list
}

// operate does one operation at random on both sides.
func (m *model) operate() {
	m.step++
	b := m.boxes[m.r.IntN(len(m.boxes))]
	note := func(format string, args ...any) { m.log = append(m.log, fmt.Sprintf(format, args...)) }
	switch m.r.IntN(10) {
	case 0, 1, 2:
		flags, words := m.flags()
		note("append to %s", b.Name)
		if got, want := m.put(b.Mailbox, "x", flags, words...), m.add(b, flags, words); got != want {
			m.t.Fatalf("appended as UID %d, want %d", got, want)
		}
	case 3, 4, 5, 6:
		m.storeFlags(b, note)
	case 7, 8:
		m.copy(b, note)
	case 9:
		m.expunge(b, note)
	}
}

func (m *model) storeFlags(b *modelBox, note func(string, ...any)) {
	set, op := m.set(b), threading.FlagOp(m.r.IntN(3))
	flags, words := m.flags()
	note("store %v in %s of %v: %05b %v", op, b.Name, set, flags, words)
	if _, err := m.StoreFlags(m.ctx, b.MemberID, b.ID, set, op, flags, words); err != nil {
		m.t.Fatal(err)
	}
	for _, uid := range b.in(set) {
		e := b.entries[uid]
		f, w := op.Apply(e.flags, e.keywords, flags, words)
		if f != e.flags || !slices.Equal(w, e.keywords) {
			b.entries[uid] = modelEntry{flags: f, keywords: w, changed: m.step}
		}
	}
}

func (m *model) copy(b *modelBox, note func(string, ...any)) {
	set, to, move := m.set(b), m.boxes[m.r.IntN(len(m.boxes))], m.r.IntN(2) == 0
	note("copy from %s to %s of %v, move %v", b.Name, to.Name, set, move)
	res, err := m.Copy(m.ctx, b.MemberID, b.ID, set, to.Name, move)
	if err != nil {
		m.t.Fatal(err)
	}
	from := b.in(set)
	var made []uint32
	for _, uid := range from {
		made = append(made, m.add(to, b.entries[uid].flags, b.entries[uid].keywords))
	}
	for _, uid := range from {
		if move {
			m.remove(b, uid)
		}
	}
	if !slices.Equal(res.From, from) || !slices.Equal(res.To, made) {
		m.t.Fatalf("copied %v to %v, want %v to %v", res.From, res.To, from, made)
	}
}

func (m *model) expunge(b *modelBox, note func(string, ...any)) {
	set := m.set(b)
	if m.r.IntN(3) == 0 {
		set = nil
	}
	note("expunge %s of %v", b.Name, set)
	got, err := m.Expunge(m.ctx, b.MemberID, b.ID, set)
	if err != nil {
		m.t.Fatal(err)
	}
	if set == nil {
		set = everyUID
	}
	var want []uint32
	for _, uid := range b.in(set) {
		if b.entries[uid].flags&threading.FlagDeleted != 0 {
			m.remove(b, uid)
			want = append(want, uid)
		}
	}
	if !slices.Equal(got, want) {
		m.t.Fatalf("expunged %v, want %v", got, want)
	}
}

// catchUp compares what a session is told with what happened since it last
// asked.
func (m *model) catchUp(v *view) {
	b := m.boxes[v.box]
	ch, err := m.Changes(m.ctx, b.MemberID, b.ID, v.modseq)
	if err != nil {
		m.t.Fatal(err)
	}
	var got, want []string
	for i, e := range ch.Entries {
		if e.ModSeq <= v.modseq || e.ModSeq > ch.ModSeq {
			m.t.Errorf("UID %d has mod-sequence %d, asked for %d to %d", e.UID, e.ModSeq, v.modseq, ch.ModSeq)
		}
		if i > 0 && ch.Entries[i-1].UID >= e.UID {
			m.t.Error("UIDs do not ascend")
		}
		got = append(got, show(e))
	}
	for _, uid := range slices.Sorted(maps.Keys(b.entries)) {
		if e := b.entries[uid]; e.changed > v.step {
			want = append(want, show(threading.Entry{UID: uid, Flags: e.flags, Keywords: e.keywords}))
		}
	}
	var gone []uint32
	for _, uid := range slices.Sorted(maps.Keys(b.gone)) {
		if b.gone[uid] > v.step {
			gone = append(gone, uid)
		}
	}
	if !slices.Equal(got, want) || !slices.Equal(ch.Expunged, gone) {
		m.t.Fatalf("step %d, changes in %s since step %d:\ngot  %v, expunged %v\nwant %v, expunged %v\nlast %q",
			m.step, b.Name, v.step, got, ch.Expunged, want, gone, m.log[max(0, len(m.log)-5):])
	}
	v.step, v.modseq = m.step, ch.ModSeq
}

func TestChangesAgainstAModel(t *testing.T) {
	t.Parallel()
	steps := 2500
	if testing.Short() {
		steps = 300
	}
	for _, seed := range []uint64{1, 2} {
		m := newModel(t, seed)
		for range steps {
			m.operate()
			if m.r.IntN(3) == 0 {
				m.catchUp(&m.views[m.r.IntN(len(m.views))])
			}
		}
		for i := range m.views {
			m.catchUp(&m.views[i])
		}
		for _, b := range m.boxes {
			got, _, err := m.UIDs(m.ctx, b.MemberID, b.ID)
			if want := b.in(everyUID); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s has %v, want %v", b.Name, got, want)
			}
			if mb, _ := m.Mailbox(m.ctx, b.MemberID, b.Name); mb.UIDNext != b.next {
				t.Errorf("%s: UIDNEXT %d, want %d", b.Name, mb.UIDNext, b.next)
			}
		}
	}
}

// What changed is found by its mod-sequence, however large the mailbox is.
func TestChangesReadNoMore(t *testing.T) {
	x := newFixture(t)
	mb := x.mailbox(x.member("tess"), threading.Inbox)
	x.putMany(mb, 2000)
	for query, index := range map[string]string{readChanged: "entries_modseq", readExpunged: "tombstones_modseq"} {
		rows, err := x.read.Query("EXPLAIN QUERY PLAN "+query, mb.MemberID, mb.ID, 5)
		if err != nil {
			t.Fatal(err)
		}
		plan := ""
		err = eachRow(rows, func(r scanner) error {
			var id, parent, unused int
			var detail string
			err := r.Scan(&id, &parent, &unused, &detail)
			plan += detail + "; "
			return err
		})
		if err != nil || !strings.Contains(plan, index) {
			t.Errorf("%s is answered by %s %v", query, plan, err)
		}
	}
}
