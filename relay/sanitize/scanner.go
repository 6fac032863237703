package sanitize

import (
	"bytes"
	"io"
	"strings"
)

// scanner passes octets on and looks for an address of the writer's in them.
type scanner struct {
	id     *identity
	w      io.Writer
	window []byte // lower case, the end of what passed
	needs  [][]byte
	found  bool
}

// scanKeep is how much of what passed is looked at again with what follows.
const scanKeep = 512

func (s *scanner) Write(p []byte) (int, error) {
	n := len(p)
	if s.needs == nil {
		s.needs = s.id.rawDomains()
	}
	for rest := p; len(rest) > 0 && !s.found; {
		m := min(len(rest), 32<<10)
		s.look(rest[:m])
		rest = rest[m:]
	}
	if _, err := s.w.Write(p); err != nil {
		return 0, err
	}
	return n, nil
}

func (s *scanner) look(p []byte) {
	if s.window == nil {
		s.window = make([]byte, 0, scanKeep+min(len(p), 32<<10))
	}
	at := len(s.window)
	s.window = append(s.window, p...)
	fresh := s.window[at:]
	for i, c := range fresh {
		fresh[i] = lowerTable[c]
	}
	for _, need := range s.needs {
		eachIndex(s.window, need, func(i int) {
			if !s.found && !s.plainlyOther(i) {
				s.found = s.id.inOctets(s.window[max(0, i-scanKeep/2):min(len(s.window), i+len(need)+8)])
			}
		})
	}
	if len(s.window) > scanKeep {
		s.window = append(s.window[:0], s.window[len(s.window)-scanKeep:]...)
	}
}

// plainlyOther reports whether what stands before a domain at i is an @ and,
// plainly written, nobody's local part: that tells most of a long list of
// addresses at the same provider.
func (s *scanner) plainlyOther(i int) bool {
	if i < 2 || s.window[i-1] != '@' {
		return false
	}
	var buf [scanKeep / 2]byte
	n := len(buf)
	for k := i - 2; k >= 0 && n > 0 && i-k < len(buf); k-- {
		switch c := s.window[k]; {
		case c >= 0x80 || strings.IndexByte("%=&\\<", c) >= 0: // it may stand for something
			return false
		case viewClass[c] != viewDrop:
			n--
			buf[n] = c
		}
	}
	before := buf[n:]
	for _, s := range []string{"dot", "at", "t-", "b-"} { // spelt signs, the relay's addresses
		if bytes.Contains(before, []byte(s)) {
			return false
		}
	}
	for d := range s.id.domains {
		for _, local := range s.id.domains[d].locals {
			if localAnywhere(before, len(before), local) {
				return false
			}
		}
	}
	return true
}

// rawDomains are the domains of the writer and the relay as octets, in ASCII
// and UTF-16.
func (id *identity) rawDomains() [][]byte {
	list := [][]byte{}
	add := func(name []byte) {
		if len(name) == 0 {
			return
		}
		list = append(list, name)
		wide := make([]byte, 0, 2*len(name))
		for i, c := range name {
			if i > 0 {
				wide = append(wide, 0)
			}
			wide = append(wide, c)
		}
		list = append(list, wide)
	}
	for i := range id.domains {
		add(id.domains[i].name)
	}
	add(id.relay)
	return list
}

var lowerTable = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			t[i] |= 0x20
		}
	}
	return t
}()
