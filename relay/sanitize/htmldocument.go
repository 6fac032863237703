package sanitize

import (
	"slices"
	"sort"
	"strings"

	"golang.org/x/net/html"
)

// htmlToken is a token of an HTML text and what is decided about it.
type htmlToken struct {
	kind   html.TokenType
	name   string // of an element
	attrs  []html.Attribute
	text   string
	drop   bool   // not written
	quoted bool   // not typed now: quoted, hidden, or in an automatic place
	hidden hiding // what of it is not shown
	anchor int    // index of the a element it is in, or -1
	flow   int    // where text begins in the flow
}

// document is an HTML text as tokens, and its visible text as one string
// (block elements are lines) in which quotes and identifiers are looked for
// across tags.
type document struct {
	tokens []htmlToken
	flow   string
	texts  []int // indices of text tokens, in order of flow
	lines  []textLine

	foreign bool
}

// classify tells new from quoted in the lines of the flow. A line that its
// elements mark as quoted is like one behind a quote mark: an attribution above
// it announces no more than it, and below it new text may follow.
func (d *document) classify() {
	f := newQuoteFinder(d.flow)
	k := 0
	for i := range f.lines {
		l := &f.lines[i]
		l.depth = quoteDepth(strings.TrimLeft(d.flow[l.start:l.end], " ")) // the source's indentation is not shown
		text, marked := false, true
		for ; k < len(d.texts); k++ {
			t := &d.tokens[d.texts[k]]
			if t.flow >= l.end {
				break
			}
			if visible := strings.TrimSpace(t.text) != ""; visible {
				text, marked = true, marked && t.quoted
			}
			if t.flow+len(t.text) > l.end { // goes on in the next line
				break
			}
		}
		if text && marked && l.depth == 0 {
			l.depth = 1
		}
	}
	d.lines = f.classify()
}

// textAt returns the index in texts of the token that holds offset i of the flow.
func (d *document) textAt(i int) int {
	return sort.Search(len(d.texts), func(k int) bool { return d.tokens[d.texts[k]].flow > i }) - 1
}

// isNew reports whether a range of the flow is new text: by its elements and
// by its lines.
func (d *document) isNew(start, end int) bool {
	if d.foreign {
		return false
	}
	for k := max(0, d.textAt(start)); k < len(d.texts); k++ {
		t := &d.tokens[d.texts[k]]
		if t.flow >= end {
			break
		}
		if t.quoted && t.flow+len(t.text) > start {
			return false
		}
	}
	return newLinesOf(d.flow, d.lines)(start, end)
}

// find looks for identifiers in the flow, and, as a word may begin where an
// element does, in each text by itself.
func (d *document) find(id *identity) []match {
	id.scratch.whole = true
	defer func() { id.scratch.whole = false }()
	list := id.find(d.flow)
	if !id.held {
		return list
	}
	for _, k := range d.texts {
		t := &d.tokens[k]
		for _, m := range id.find(t.text) {
			m.start += t.flow
			m.end += t.flow
			list = append(list, m)
		}
	}
	return merge(list)
}

// marked are the lines with what the elements say of them.
func (d *document) marked() []textLine {
	if d.foreign {
		for i := range d.lines {
			d.lines[i].kind = lineQuoted
		}
	}
	return d.lines
}

// withFooters adds the edits that remove footers to others, and leaves out
// those within footers.
func withFooters(footers, others []edit) []edit {
	if len(footers) == 0 {
		return others
	}
	out := footers
	for _, e := range others {
		if !slices.ContainsFunc(footers, func(f edit) bool { return e.start < f.end && f.start < e.end }) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b edit) int { return a.start - b.start })
	return out
}

// edit replaces ranges of the flow: the replacement stands in the token where
// the range begins, what it covers in later ones goes.
func (d *document) edit(list []edit) {
	for i := len(list) - 1; i >= 0; i-- {
		e := list[i]
		first := true
		for k := max(0, d.textAt(e.start)); k < len(d.texts); k++ {
			t := &d.tokens[d.texts[k]]
			if t.flow >= e.end {
				break
			}
			from, to := max(0, e.start-t.flow), min(len(t.text), e.end-t.flow)
			if from >= to {
				continue
			}
			with := ""
			if first {
				with, first = e.with, false
			}
			t.text = t.text[:from] + with + t.text[to:]
		}
	}
}

// anchorIsNew reports whether the text of the a element at i is in new lines.
func (d *document) anchorIsNew(i int) bool {
	for k := i + 1; k < len(d.tokens) && k < i+50; k++ {
		if t := &d.tokens[k]; t.kind == html.TextToken && t.anchor == i && t.text != "" {
			return d.isNew(t.flow, t.flow+len(t.text))
		}
	}
	return false
}
