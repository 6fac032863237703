package wire

import (
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/imapd"
)

// returning is what a search returns (RFC 4731, RFC 5182, RFC 5267, RFC 9394).
type returning struct {
	given                      bool // RETURN was there
	min, max, all, count, save bool
	partial                    partial
}

// plain reports that no kind of result was asked for.
func (o *returning) plain() bool {
	return !o.min && !o.max && !o.all && !o.count && !o.partial.given()
}

// returnOptions reads RETURN (...).
func (c *conn) searchReturn() (o returning) {
	o.given = true
	c.r.sp()
	c.r.list(func() {
		switch word := c.r.word(); {
		case word == "MIN":
			o.min = true
		case word == "MAX":
			o.max = true
		case word == "ALL":
			o.all = true
		case word == "COUNT":
			o.count = true
		case word == "SAVE" && c.can(imap.CapSearchRes):
			o.save = true
		case word == "PARTIAL" && c.can(capPartial):
			c.r.sp()
			o.partial = c.r.partialRange()
		case word == "RELEVANCY" || word == "UPDATE" || word == "CONTEXT": // of extensions that are not here
			c.r.bad("This server doesn't return " + word + ".")
		default:
			c.r.bad("This server doesn't know the result " + printableName(word) + ".")
		}
	})
	if o.all && o.partial.given() && c.r.err == nil { // RFC 9394 section 3.1
		c.r.bad("ALL and PARTIAL don't go together.")
	}
	if o.plain() && !o.save {
		o.all = true
	}
	return o
}

// search answers SEARCH and UID SEARCH.
func (c *conn) search(byUID bool) (done, error) {
	var o returning
	s := &searchReader{c: c}
	c.r.sp()
	if c.nextWord("RETURN") {
		o = c.searchReturn()
		c.r.sp()
	}
	s.charsetIfGiven()
	criteria := s.keysUntilEnd()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	if s.modseq {
		if err := c.enableCondStore(); err != nil {
			return done{}, err
		}
	}
	found, err := c.s.Search(criteria, c.progress())
	if err != nil {
		if o.save {
			c.s.Save(nil) // RFC 5182 section 2.1
		}
		return done{}, err
	}
	if o.save {
		c.s.Save(o.saved(found.UIDs))
		if o.plain() { // RFC 5182 section 2.1: only saved, nothing is told
			return done{text: byName("SEARCH", byUID) + " completed, the result is saved"}, nil
		}
	}
	if o.given || c.enabled.rev2 {
		c.writeESearch("", &o, found, byUID)
		return done{}, nil
	}
	c.w.text("* SEARCH")
	c.writeNumbers(found, byUID)
	return done{}, nil
}

func byName(name string, byUID bool) string {
	if byUID {
		return "UID " + name
	}
	return name
}

// nextWord takes a word if it comes next; a search key may begin like it.
func (c *conn) nextWord(word string) bool {
	if c.r.err != nil {
		return false
	}
	// Octet by octet: looking further than the line goes would wait for the next.
	for i := range len(word) + 1 {
		p, err := c.r.b.Peek(i + 1)
		if err != nil || i < len(word) && upper(string(p[i])) != word[i:i+1] || i == len(word) && atomChar(p[i]) {
			return false
		}
	}
	for range word {
		c.r.next()
	}
	return true
}

// progressAfter is how long a search may take without a word, and between two
// (RFC 9585 section 3.1).
const progressAfter = 10 * time.Second

// progress tells the client how far a long search is.
func (c *conn) progress() func(done, all int) error {
	if !c.can(imap.CapInProgress) {
		return nil
	}
	told := time.Now()
	return func(done, all int) error {
		if time.Since(told) < c.srv.progressAfter {
			return nil
		}
		told = time.Now()
		c.w.text("* OK [INPROGRESS (").str(c.tag)
		c.w.text(fmt.Sprintf(" %d %d)] Still searching\r\n", done, all))
		return c.flush()
	}
}

// saved is what SAVE keeps (RFC 5182 section 2.4; RFC 9394 section 3.1).
func (o *returning) saved(uids []uint32) []uint32 {
	if o.all || o.count || o.plain() || len(uids) == 0 {
		return uids
	}
	var kept []uint32
	if o.min {
		kept = append(kept, slices.Min(uids))
	}
	if o.max {
		kept = append(kept, slices.Max(uids))
	}
	if o.partial.given() {
		kept = append(kept, o.partial.of(uids)...)
	}
	return kept
}

// writeNumbers writes the numbers of a SEARCH or SORT response, and the highest
// mod-sequence if one was asked for (RFC 7162 section 3.1.5).
func (c *conn) writeNumbers(f *imapd.Found, byUID bool) {
	nums := f.Seqs
	if byUID {
		nums = f.UIDs
	}
	for _, n := range nums {
		c.w.text(" ").number(uint64(n))
	}
	if len(f.ModSeqs) > 0 {
		c.w.text(" (MODSEQ ").number(slices.Max(f.ModSeqs)).text(")")
	}
	c.w.crlf()
}

// writeESearch writes an ESEARCH response (RFC 4731 section 3.1; for SORT RFC
// 5267 section 3): of is what comes before the results.
func (c *conn) writeESearch(of string, o *returning, f *imapd.Found, byUID bool) {
	nums := f.Seqs
	if byUID {
		nums = f.UIDs
	}
	c.w.text(`* ESEARCH (TAG `).str(c.tag).text(of, ")")
	if byUID {
		c.w.text(" UID")
	}
	var told []int // the places of what is told, for the mod-sequence
	if n := len(nums); n > 0 {
		first, last := slices.Index(nums, slices.Min(nums)), slices.Index(nums, slices.Max(nums))
		if f.Sorted {
			first, last = 0, n-1
		}
		if o.min {
			c.w.text(" MIN ").number(uint64(nums[first]))
			told = append(told, first)
		}
		if o.max {
			c.w.text(" MAX ").number(uint64(nums[last]))
			told = append(told, last)
		}
	}
	if o.count {
		c.w.text(" COUNT ").number(uint64(len(nums)))
	}
	if (o.all || !o.given) && len(nums) > 0 {
		c.w.text(" ALL ").set(nums)
	}
	if o.partial.given() {
		c.writePartial(o.partial, nums)
	}
	if len(f.ModSeqs) > 0 {
		c.w.text(" MODSEQ ").number(modSeqOf(o, f.ModSeqs, told))
	}
	c.w.crlf()
}

// modSeqOf is the highest mod-sequence of what is told (RFC 4731 section 3.2).
func modSeqOf(o *returning, modseqs []uint64, told []int) (highest uint64) {
	if o.all || o.count || o.partial.given() || len(told) == 0 {
		return slices.Max(modseqs)
	}
	for _, i := range told {
		highest = max(highest, modseqs[i])
	}
	return highest
}

func (c *conn) writePartial(p partial, nums []uint32) {
	c.w.text(fmt.Sprintf(" PARTIAL (%d:%d ", p.from, p.to))
	if some := p.of(nums); len(some) > 0 {
		c.w.set(some).text(")")
		return
	}
	c.w.text("NIL)")
}

// sort answers SORT and UID SORT (RFC 5256, RFC 5267).
func (c *conn) sort(byUID bool) (done, error) {
	var o returning
	s := &searchReader{c: c}
	c.r.sp()
	if c.nextWord("RETURN") {
		o = c.searchReturn()
		c.r.sp()
	}
	var by []imapd.SortCriterion
	reverse := false
	c.r.list(func() {
		key := c.r.word()
		if key == "REVERSE" {
			reverse = true
			return
		}
		by = append(by, imapd.SortCriterion{Key: key, Reverse: reverse})
		reverse = false
	})
	c.r.sp()
	s.setCharset(c.r.astring())
	c.r.sp()
	criteria := s.keysUntilEnd()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	if s.modseq {
		if err := c.enableCondStore(); err != nil {
			return done{}, err
		}
	}
	found, err := c.s.Sort(by, criteria)
	if err != nil {
		return done{}, err
	}
	if o.save {
		c.s.Save(o.saved(found.UIDs))
		if o.plain() {
			return done{text: byName("SORT", byUID) + " completed, the result is saved"}, nil
		}
	}
	if o.given {
		c.writeESearch("", &o, found, byUID)
		return done{}, nil
	}
	c.w.text("* SORT")
	c.writeNumbers(found, byUID)
	return done{}, nil
}

// thread answers THREAD and UID THREAD (RFC 5256).
func (c *conn) thread(byUID bool) (done, error) {
	s := &searchReader{c: c}
	c.r.sp()
	algorithm := imap.ThreadAlgorithm(c.r.word())
	c.r.sp()
	s.setCharset(c.r.astring())
	c.r.sp()
	criteria := s.keysUntilEnd()
	if err := c.parsed(); err != nil {
		return done{}, err
	}
	if s.modseq {
		if err := c.enableCondStore(); err != nil {
			return done{}, err
		}
	}
	if !c.can(capThread + imap.Cap(algorithm)) {
		return done{}, syntaxError("This server doesn't know that way to thread.")
	}
	threads, err := c.s.Thread(byUID, algorithm, criteria)
	if err != nil {
		return done{}, err
	}
	c.w.text("* THREAD")
	if len(threads) > 0 {
		c.w.text(" ")
		*c.w.buffer() = imapd.AppendThreads(*c.w.b, threads)
	}
	c.w.crlf()
	return done{}, nil
}
