package imapd

import (
	"fmt"
	"testing"

	"github.com/emersion/go-imap/v2"
)

// A search finds the same by the index as by reading every message, whatever
// its form.
func TestTheIndexChangesNoAnswer(t *testing.T) {
	x := newBig(t, 1200)
	text := func(s ...string) imap.SearchCriteria { return imap.SearchCriteria{Text: s} }
	header := func(name, value string) imap.SearchCriteria {
		return imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: name, Value: value}}}
	}
	searches := []struct {
		name     string
		criteria imap.SearchCriteria
		found    uint32
	}{
		{"one message", text("NUMBER n777n"), 1},
		{"nothing", text("zamboni"), 0},
		{"a production, by TEXT", text("production 13"), 13},
		{"a role, by HEADER", header("X-Role", "Role 13"), 39},
		{"a role is not in that field", header("X-Production", "Role 13"), 0},
		{"accents and encoded words", header("From", "SAM CASTING 49"), 24},
		{"Message-ID", header("Message-ID", "<m1199@msg.example.com>"), 1},
		{"a field that is there", header("References", ""), 900},
		{"two octets", text("n9"), 111},
		{"both", text("production 13", "number n110n"), 1},
		{"body only", imap.SearchCriteria{Body: []string{"Production 13"}}, 0},
		{"OR", imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{text("n777n"), text("n778n")}}}, 2},
		{"OR with what the index can't tell", imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{text("n777n"), {Flag: []imap.Flag{imap.FlagSeen}}}}}, 1},
		{"OR within NOT", imap.SearchCriteria{Not: []imap.SearchCriteria{{Or: [][2]imap.SearchCriteria{{text("n777n"), text("n778n")}}}}}, 1198},
		{"NOT", imap.SearchCriteria{Text: []string{"production 13"}, Not: []imap.SearchCriteria{text("number n110n")}}, 12},
		{"in a set", imap.SearchCriteria{Text: []string{"production 13"}, UID: []imap.UIDSet{{{Start: 1, Stop: 300}}}}, 3},
	}
	answers := func(when string) (all []string) {
		s := x.session()
		for _, c := range searches {
			d, err := s.Search(plain(c.criteria), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(d.UIDs) != int(c.found) {
				t.Errorf("%s, %s: %d found, want %d", c.name, when, len(d.UIDs), c.found)
			}
			all = append(all, fmt.Sprint(d.UIDs))
		}
		return all
	}
	before := answers("read")
	x.pack()
	for i, got := range answers("by the index") {
		if got != before[i] {
			t.Errorf("%s: found %s, want %s", searches[i].name, got, before[i])
		}
	}
}
