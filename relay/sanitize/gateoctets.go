package sanitize

import "bytes"

// inOctets searches what is no text for addresses, in ASCII and UTF-16. What
// stands before or after them does not matter: in a certificate the next
// octet is often a digit's.
func (s *search) inOctets(b []byte) bool {
	if bytes.IndexByte(b, '@') < 0 && bytes.IndexByte(b, '=') < 0 {
		return false
	}
	return len(s.places(lowered(b))) > 0
}

// places are where, in octets in lower case, the domains of addresses stand;
// with octets of zero left out, where there are none with them.
func (s *search) places(lower []byte) (found [][]byte) {
	views := [][]byte{lower}
	if bytes.IndexByte(lower, 0) >= 0 {
		views = append(views, bytes.ReplaceAll(lower, []byte{0}, nil))
	}
	for _, v := range views {
		for _, a := range s.addresses {
			eachIndex(v, []byte(a.domain), func(i int) {
				if i > 1 && (v[i-1] == '@' || v[i-1] == '=') && localAnywhere(v, i-1, a.local) {
					found = append(found, v[:i])
				}
			})
		}
	}
	return found
}

// endsAddress reports whether what stands before a domain ends in somebody's
// local part and an @, with octets of zero or without.
func (s *search) endsAddress(before []byte) bool {
	var buf [gateNear]byte
	n := len(buf)
	for i := len(before) - 1; i >= 0 && n > 0; i-- {
		if before[i] != 0 {
			n--
			buf[n] = before[i]
		}
	}
	for _, v := range [][]byte{before, buf[n:]} {
		end := len(v) - 1
		if end < 1 || v[end] != '@' && v[end] != '=' {
			continue
		}
		for _, a := range s.addresses {
			if localAnywhere(v, end, a.local) {
				return true
			}
		}
	}
	return false
}

// gateKeep is how much before a place is looked at, in octets.
const gateKeep = 1024

// gateNear is how far before its domain an address may begin, in UTF-16 too.
const gateNear = 256

// octets is what passes by, searched.
type octets struct {
	s *search
	// leaks decides about a place by what stands before it, in lower case; nil:
	// each is a leak.
	leaks func(before []byte) bool
	// mark, if set, makes any place within markReach octets behind it a leak.
	mark   []byte
	marked int // octets since the mark
	seen   bool
	found  bool

	needs  [][]byte // domains, in ASCII and UTF-16
	window []byte   // in lower case
}

const markReach = 4096

func (o *octets) Write(p []byte) (int, error) {
	n := len(p)
	if o.needs == nil {
		for _, a := range o.s.addresses {
			o.needs = append(o.needs, []byte(a.domain), bytes.Join(bytes.Split([]byte(a.domain), nil), []byte{0}))
		}
		o.window = make([]byte, 0, 2*gateKeep+min(len(p), 32<<10))
	}
	for len(p) > 0 && !o.found {
		m := min(len(p), 32<<10)
		o.look(p[:m])
		p = p[m:]
	}
	return n, nil
}

// look searches the next octets, together with the end of those before.
func (o *octets) look(p []byte) {
	at := len(o.window)
	o.window = append(o.window, p...)
	lower := o.window[at:]
	for i, c := range lower {
		lower[i] = lowerTable[c]
	}
	o.marked += len(p)
	if len(o.mark) > 0 && bytes.Contains(o.window, o.mark) {
		o.seen, o.marked = true, len(o.window)-bytes.LastIndex(o.window, o.mark)
	}
	for _, need := range o.needs {
		eachIndex(o.window, need, func(i int) {
			end := min(len(o.window), i+len(need)+2)
			if !o.found && o.s.endsAddress(o.window[max(0, i-gateNear):i]) {
				o.judge(o.window[max(0, i-gateKeep):end])
			}
		})
	}
	if len(o.window) > gateKeep {
		o.window = append(o.window[:0], o.window[len(o.window)-gateKeep:]...)
	}
}

func (o *octets) judge(b []byte) {
	for _, before := range o.s.places(b) {
		o.found = o.found || o.leaks == nil || o.leaks(before) || o.seen && o.marked <= markReach+len(o.window)
	}
}

// lowered is b with ASCII letters in lower case; what is no text stays.
func lowered(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[i] = lowerTable[c]
	}
	return out
}
