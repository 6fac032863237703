package imapd

import (
	"fmt"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// Zero stands for "*", the last message; a range may be written either way
// round (RFC 9051 section 9: seq-range).
func TestSetsAmongWhatTheClientKnows(t *testing.T) {
	s := &Session{box: &selected{uids: []uint32{2, 4, 5, 9}}}
	seq := func(start, stop uint32) imap.NumSet { return imap.SeqSet{{Start: start, Stop: stop}} }
	uid := func(start, stop imap.UID) imap.NumSet { return imap.UIDSet{{Start: start, Stop: stop}} }
	for _, c := range []struct {
		set  imap.NumSet
		want string
	}{
		{seq(1, 1), "[{2 2}]"},
		{seq(1, 0), "[{2 9}]"},
		{seq(0, 0), "[{9 9}]"},
		{seq(4, 2), "[{4 9}]"},
		{seq(3, 1000), "[{5 9}]"},
		{seq(5, 6), "[]"},
		{seq(0, 1000), "[{9 9}]"},
		{imap.SeqSet{{Start: 4, Stop: 4}, {Start: 1, Stop: 2}, {Start: 2, Stop: 3}}, "[{2 5} {9 9}]"},
		{uid(1, 4294967295), "[{1 9}]"},
		{uid(100, 0), "[{9 9}]"},
		{uid(10, 11), "[]"},
		{uid(5, 4), "[{4 5}]"},
		{imap.SearchRes(), "[]"},
	} {
		if got := fmt.Sprint(s.uids(c.set)); got != c.want {
			t.Errorf("%v is %v, want %v", c.set, got, c.want)
		}
	}
	s.box.uids = nil
	if got := s.uids(seq(1, 0)); got != nil {
		t.Errorf("1:* of none is %v", got)
	}
}
