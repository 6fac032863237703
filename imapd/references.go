package imapd

import (
	"cmp"
	"slices"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// forest is the trees that messages make by what they refer to: steps 1 to 4 of
// RFC 5256 section 3's REFERENCES. A node is a number; nodes without a message
// stand for what is referred to and not there.
type forest struct {
	keys   []store.Keys
	msg    []int32 // of each node: index into keys; -1: none
	parent []int32 // -1: none
	kids   [][]int32
	roots  []int32
	steps  int
}

// maxSteps bounds how far all looks for a loop go together. Messages that refer
// to each other as people write them take none.
const maxSteps = 20_000_000

// plant makes the trees of the messages, which it gets by ascending UID.
func plant(keys []store.Keys) *forest {
	f := &forest{keys: keys}
	byID := make(map[uint64]int32, len(keys))
	own := make([]int32, len(keys)) // each message's node
	for i := range keys {
		id := keys[i].MessageID
		if _, taken := byID[id]; taken || id == 0 {
			own[i] = f.add(int32(i)) // none, or one that an earlier message has: a new one
			continue
		}
		own[i] = f.add(int32(i))
		byID[id] = own[i]
	}
	busy := make([]bool, len(keys), 2*len(keys)) // has children
	for i := range keys {
		last := int32(-1)
		for _, ref := range keys[i].References {
			n, ok := byID[ref]
			if !ok {
				n = f.add(-1)
				byID[ref] = n
				busy = append(busy, false)
			}
			if last >= 0 && f.parent[n] < 0 && f.may(last, n, busy[n]) { // step 1 (A): links that are there stay
				f.parent[n], busy[last] = last, true
			}
			last = n
		}
		// Step 1 (B): a message itself knows best what it answers.
		if n := own[i]; last >= 0 {
			f.parent[n] = -1
			if f.may(last, n, busy[n]) {
				f.parent[n], busy[last] = last, true
			}
		}
	}
	f.prune()
	return f
}

func (f *forest) add(msg int32) int32 {
	f.msg = append(f.msg, msg)
	f.parent = append(f.parent, -1)
	return int32(len(f.msg) - 1)
}

// may reports whether child can hang under parent without a loop.
func (f *forest) may(parent, child int32, busy bool) bool {
	if parent == child {
		return false
	}
	if !busy {
		return true
	}
	for n := parent; n >= 0; n = f.parent[n] {
		if f.steps++; n == child || f.steps > maxSteps {
			return false
		}
	}
	return true
}

// prune takes out the nodes without a message, but for roots with several
// children, and sorts siblings (steps 2 to 4).
func (f *forest) prune() {
	f.kids = make([][]int32, len(f.msg))
	var roots []int32
	for n, p := range f.parent {
		if p < 0 {
			roots = append(roots, int32(n))
		} else {
			f.kids[p] = append(f.kids[p], int32(n))
		}
	}
	for _, n := range slices.Backward(f.inOrder(roots)) { // children before their parents
		var kids []int32
		for _, k := range f.kids[n] {
			if f.msg[k] < 0 {
				kids = append(kids, f.kids[k]...)
			} else {
				kids = append(kids, k)
			}
		}
		f.kids[n] = kids
		f.sort(kids)
	}
	for _, n := range roots {
		if f.msg[n] < 0 && len(f.kids[n]) < 2 {
			f.roots = append(f.roots, f.kids[n]...)
		} else {
			f.roots = append(f.roots, n)
		}
	}
	f.sort(f.roots)
}

// inOrder lists the nodes of trees such that parents come before children.
func (f *forest) inOrder(roots []int32) []int32 {
	list := slices.Grow(slices.Clone(roots), len(f.msg))
	for i := 0; i < len(list); i++ {
		list = append(list, f.kids[list[i]]...)
	}
	return list
}

// top is the message that a root is known by: its own or the first child's.
func (f *forest) top(n int32) *store.Keys {
	if f.msg[n] < 0 {
		n = f.kids[n][0]
	}
	return &f.keys[f.msg[n]]
}

func (f *forest) sort(siblings []int32) {
	slices.SortFunc(siblings, func(a, b int32) int {
		x, y := f.top(a), f.top(b)
		return cmp.Or(cmp.Compare(x.Sent, y.Sent), cmp.Compare(x.UID, y.UID))
	})
}

// under makes a root without a message, with these below it.
func (f *forest) under(kids ...int32) int32 {
	n := f.add(-1)
	f.kids = append(f.kids, kids)
	return n
}

// joinSubjects gathers trees of one base subject (steps 5 and 6).
func (f *forest) joinSubjects() {
	table := map[string]int32{}
	for _, n := range f.roots {
		k := f.top(n)
		if k.Subject == "" {
			continue
		}
		was, ok := table[k.Subject]
		if !ok || f.msg[n] < 0 && f.msg[was] >= 0 || f.top(was).Reply && !k.Reply {
			table[k.Subject] = n
		}
	}
	joined := map[int32]int32{} // what a root of the table became part of
	moved := map[int32]bool{}
	for _, n := range f.roots {
		k := f.top(n)
		first, ok := table[k.Subject]
		if !ok || first == n {
			continue
		}
		into := first
		if j, ok := joined[first]; ok {
			into = j
		}
		switch {
		case f.msg[into] < 0, k.Reply && !f.top(into).Reply:
			f.kids[into] = append(f.kids[into], f.grown(n)...)
		default: // two of their own: neither answers the other
			joined[first] = f.under(append([]int32{first}, f.grown(n)...)...)
			moved[first] = true
		}
		moved[n] = true
	}
	f.regroup(moved, joined)
}

// joinConversations gathers the trees of one thread of the relay, and orders all
// by when their newest message came.
func (f *forest) joinConversations() {
	table, joined, moved := map[threading.ID]int32{}, map[int32]int32{}, map[int32]bool{}
	for _, n := range f.roots {
		thread := f.top(n).Thread
		first, ok := table[thread]
		switch {
		case thread == 0:
		case !ok:
			table[thread] = n
		case f.msg[first] < 0:
			f.kids[first] = append(f.kids[first], f.grown(n)...)
			moved[n] = true
		default:
			table[thread] = f.under(append([]int32{first}, f.grown(n)...)...)
			joined[first] = table[thread]
			moved[first], moved[n] = true, true
		}
	}
	f.regroup(moved, joined)
	newest := make([]int64, len(f.msg))
	owner := make([]int32, len(f.msg))
	for i := range owner {
		owner[i] = int32(i)
	}
	for _, n := range f.inOrder(f.roots) {
		if m := f.msg[n]; m >= 0 {
			newest[owner[n]] = max(newest[owner[n]], f.keys[m].Saved)
		}
		for _, k := range f.kids[n] {
			owner[k] = owner[n]
		}
	}
	slices.SortStableFunc(f.roots, func(a, b int32) int { return cmp.Compare(newest[a], newest[b]) })
}

// grown is a root as children: one without a message is its children.
func (f *forest) grown(n int32) []int32 {
	if f.msg[n] < 0 {
		return f.kids[n]
	}
	return []int32{n}
}

// regroup drops roots that went below others, adds those that were made, and
// sorts what has new siblings.
func (f *forest) regroup(moved map[int32]bool, joined map[int32]int32) {
	f.roots = slices.DeleteFunc(f.roots, func(n int32) bool { return moved[n] })
	for _, n := range joined {
		f.roots = append(f.roots, n)
	}
	for _, n := range f.roots {
		f.sort(f.kids[n])
	}
	f.sort(f.roots)
}

// threads are the trees as they are answered.
func (f *forest) threads(num func(*store.Keys) uint32) []*Thread {
	made := make([]*Thread, len(f.msg))
	for _, n := range slices.Backward(f.inOrder(f.roots)) {
		t := &Thread{}
		if m := f.msg[n]; m >= 0 {
			t.Num = num(&f.keys[m])
		}
		for _, k := range f.kids[n] {
			t.Children = append(t.Children, made[k])
		}
		made[n] = t
	}
	out := make([]*Thread, len(f.roots))
	for i, n := range f.roots {
		out[i] = made[n]
	}
	return out
}
