package sanitize

import (
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	id := Identity{
		Name: "Jane Roe", Addresses: []string{"jane.roe@realmail.example", "Jane.R+x@gmail.com", "jr@bücher.example"},
		RelayDomain: "msg.example.com", RelayURL: "https://msg.example.com/u", Hosts: []string{"192.0.2.77", "laptop.home"},
	}
	rw := &rewriter{o: Options{Identity: id}, id: compile(&id)}
	s := newSearch(id)
	for _, c := range []struct{ in, want string }{
		{"jane.roe@realmail.example", "Jane Roe"},
		{"Jane Roe <jane.roe@realmail.example>", "Jane Roe"},
		{`"Jane Roe" <JANE.ROE@REALMAIL.EXAMPLE>,`, `"Jane Roe",`},
		{"jane.roe@realmail.example <jane.roe@realmail.example>", "Jane Roe"},
		{"jane.roe@realmail.example<mailto:jane.roe@realmail.example>", "Jane Roe"},
		{"Jane Roe [mailto:jane.roe@realmail.example]", "Jane Roe"},
		{"<jane.roe@realmail.example>", "Jane Roe"},
		{"to jane.roe+casting@realmail.example today", "to Jane Roe today"},
		{"to j.a.n.e.roe@realmail.example", "to Jane Roe"},
		{"jane.roe@\n> realmail.example", "Jane Roe"},
		{"jane.roe%40realmail.example", "Jane Roe"},
		{"jane.roe%2540realmail%252Eexample", "Jane Roe"},
		{"jane.roe&#64;realmail&period;example", "Jane Roe"},
		{"jane.roe=40realmail.example", "Jane Roe"},
		{`jane.roe\u0040realmail.example`, "Jane Roe"},
		{"jane.roe (at) realmail (dot) example", "Jane Roe"},
		{"jane.roe at realmail dot example", "Jane Roe"},
		{"ｊａｎｅ.ｒｏｅ＠realmail.example", "Jane Roe"},
		{"ja\u200bne.roe@real\u00admail.example", "Jane Roe"},
		{"jane.roe=realmail.example@bounces.example.org", "Jane Roe"},
		{"<SRS0=Ab1c=XY=realmail.example=jane.roe@fwd.example.org>", "Jane Roe"},
		{"SRS1=Zz=fwd.example.org==Ab=XY=gmail.com=jane.r+x@else.example wrote", "Jane Roe wrote"},
		{"SRS0=Ab1c=XY=gmail.com=someone@fwd.example.org", "SRS0=Ab1c=XY=gmail.com=someone@fwd.example.org"},
		{"janer@googlemail.com and j.aner+work@gmail.com", "Jane Roe and Jane Roe"},
		{"jr@bücher.example jr@xn--bcher-kva.example jr@BÜCHER.example", "Jane Roe Jane Roe Jane Roe"},
		// Others' addresses, also those that end or begin the same.
		{"mjane.roe@realmail.example.net x", "[hidden].net x"},
		{"x@gmail.com, joanner@gmail.com", "x@gmail.com, joanner@gmail.com"},
		{"www.realmail.example/reel", "[hidden]/reel"},
		{"https://realmail.example/reel", "[link removed]"},
		{"notrealmail.example", "notrealmail.example"},
		{"https://t.example/?e=jane.roe%40realmail.example&x=1 end", "[link removed] end"},
		{"from laptop.home ([192.0.2.77])", "from [hidden] ([[hidden]])"},
		{"192.0.2.177", "192.0.2.177"},
		// What the relay issued.
		{"Sam via Backstage <t-k3x9qdm2w7@msg.example.com>", "Sam via Backstage"},
		{"Sam via Backstage <\nt-k3x9qdm2w7@msg.example.com> wrote", "Sam via Backstage wrote"},
		{"> Sam via Backstage <\n> t-k3x9qdm2w7@msg.example.com> wrote", "> Sam via Backstage wrote"},
		{"t-k3x9qdm2w7@msg.example.com", hiddenAddress},
		{"b-k3x9@MSG.example.com.", hiddenAddress + "."},
		{"sam@msg.example.com, postmaster@msg.example.com", "sam@msg.example.com, postmaster@msg.example.com"},
		{"stop: https://msg.example.com/u/abcdef now", "stop:  now"},
		{"https://msg.example.com/", "https://msg.example.com/"},
	} {
		if got := rw.clean(c.in); got != c.want {
			t.Errorf("%q\n gives %q\n  want %q", c.in, got, c.want)
		}
		// The gate must agree, each with its own code.
		if left := s.finds(c.want, searchAll); left {
			t.Errorf("the gate finds something in %q", c.want)
		}
		if strings.Contains(c.want, "Jane Roe") && !s.finds(c.in, searchAll) {
			t.Errorf("the gate finds nothing in %q", c.in)
		}
	}
}

// TestCleanLeavesOthers: a text without identifiers is never touched.
func TestCleanLeavesOthers(t *testing.T) {
	rw := &rewriter{o: Options{Identity: jane}, id: compile(&jane)}
	for _, s := range []string{
		"", "Hello & goodbye, 100% = all. <3 \\o/ a+b", "meet at home. dot the i. At last", strings.Repeat("> ", 500) + "x",
		"リハーサルは火曜日です。 déjà vu, naïve", "=?utf-8?q?x?= %zz &#xffffffff; &bogus; \\u00zz +AGE-",
	} {
		if got := rw.clean(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

// TestSameMailbox: providers that deliver several domains to one mailbox.
func TestSameMailbox(t *testing.T) {
	for address, other := range map[string]string{
		"jane@gmail.com": "jane@googlemail.com", "jane@googlemail.com": "jane@gmail.com", "jane@icloud.com": "jane@me.com", "jane@mac.com": "jane@icloud.com",
		"jane@proton.me": "jane@protonmail.com", "jane@pm.me": "jane@proton.me", "jane@yandex.ru": "jane@ya.ru",
	} {
		id := Identity{Name: "Jane", Addresses: []string{address}}
		rw := &rewriter{o: Options{Identity: id}, id: compile(&id)}
		if got := rw.clean("> " + other); got != "> Jane" || !newSearch(id).finds("> "+other, searchAll) {
			t.Errorf("%s: %s becomes %q", address, other, got)
		}
	}
}
