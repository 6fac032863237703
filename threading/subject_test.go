package threading

import "testing"

func TestBaseSubject(t *testing.T) {
	for _, c := range []struct {
		subject, base string
		reply         bool
	}{
		{"Ophelia", "ophelia", false},
		{"Re: Ophelia", "ophelia", true},
		{"RE : Fwd: re:Ophelia (fwd) (FWD)", "ophelia", true},
		{"[cast] Re: [crew] Ophelia", "ophelia", true},
		{"[cast] Ophelia", "ophelia", false},
		{"Re[2]: Ophelia", "ophelia", true},
		{"Re [cast]: Ophelia", "ophelia", true},
		{"[Fwd: Re: Ophelia]", "ophelia", true},
		{"[Fwd: [Fwd: Ophelia] (fwd)]", "ophelia", true},
		{"[cast]", "[cast]", false},
		{"Re: [cast]", "[cast]", true},
		{"Re:", "", true},
		{"Rehearsal: tomorrow", "rehearsal: tomorrow", false},
		{"forward: march", "forward: march", false},
		{"  Re:\t\tOphelia\r\n  at  eight ", "ophelia at eight", true},
		{"", "", false},
		{"[[x] Re: a", "[[x] re: a", false},
		{"[fwd:", "[fwd:", false},
	} {
		base, reply := BaseSubject(Fold(c.subject))
		if base != c.base || reply != c.reply {
			t.Errorf("BaseSubject(%q) = %q, %v; want %q, %v", c.subject, base, reply, c.base, c.reply)
		}
	}
}

func FuzzBaseSubject(f *testing.F) {
	f.Add("Re: [x] (fwd)")
	f.Add("[fwd: re: [fwd: a] (fwd)]")
	f.Fuzz(func(t *testing.T, s string) {
		base, _ := BaseSubject(Fold(s))
		if again, _ := BaseSubject(base); len(again) > len(base) {
			t.Fatalf("%q became longer: %q", base, again)
		}
	})
}
