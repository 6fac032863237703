package threading

import (
	"slices"
	"strings"
	"testing"
)

func TestParseLocal(t *testing.T) {
	for _, c := range []struct {
		local string
		want  Recipient
	}{
		{"tess", Recipient{Kind: RecipientContact, Handle: "tess"}},
		{"Tess", Recipient{Kind: RecipientContact, Handle: "tess"}},
		{"tess+phone", Recipient{Kind: RecipientContact, Handle: "tess"}},
		{"t-abc", Recipient{Kind: RecipientAlias, Token: "abc"}},
		{"T-ABC", Recipient{Kind: RecipientAlias, Token: "abc"}},
		{"b-abc", Recipient{Kind: RecipientBounce, Token: "abc"}},
		{"ophelia.hamlet", Recipient{Kind: RecipientRole, Role: "ophelia", Production: "hamlet"}},
		{"Postmaster", Recipient{Kind: RecipientOperator, Handle: "postmaster"}},
		{"abuse", Recipient{Kind: RecipientOperator, Handle: "abuse"}},
		{"support", Recipient{Kind: RecipientOperator, Handle: "support"}},
		{"", Recipient{}},
		{"-tess", Recipient{}},
		{"tess_1", Recipient{}},
		{"a.b.c", Recipient{}},
		{".hamlet", Recipient{}},
		{"webmaster", Recipient{}},
		{"téss", Recipient{}},
		{"\u212aim", Recipient{}},
		{"\u0130da", Recipient{}},
		{strings.Repeat("a", 32), Recipient{}},
		{strings.Repeat("a", 31) + "." + strings.Repeat("b", 31), Recipient{Kind: RecipientRole, Role: strings.Repeat("a", 31), Production: strings.Repeat("b", 31)}},
		{"+x", Recipient{}},
	} {
		if got := ParseLocal(c.local); got != c.want {
			t.Errorf("ParseLocal(%q) = %+v, want %+v", c.local, got, c.want)
		}
	}
}

func TestCanonical(t *testing.T) {
	for addr, want := range map[string]string{
		"Jane.Roe@Example.COM":                 "jane.roe@example.com",
		"jane@bücher.example":                  "jane@xn--bcher-kva.example",
		"jane@xn--bcher-kva.example":           "jane@xn--bcher-kva.example",
		"jane@BÜCHER.example":                  "jane@xn--bcher-kva.example",
		"jane@example.com.":                    "jane@example.com",
		`"jane roe"@example.com`:               `"jane roe"@example.com`,
		`"Jane"@example.com`:                   "jane@example.com",
		`"a@b"@example.com`:                    `"a@b"@example.com`,
		`"a\"b\\c"@example.com`:                `"a\"b\\c"@example.com`,
		`"a"b"@example.com`:                    "",
		`"a\"@example.com`:                     "",
		`""@example.com`:                       "",
		"\u212aim@example.com":                 "\u212aim@example.com", // Kelvin is no k
		"\u0130da@example.com":                 "\u0130da@example.com", // İ is no i
		"jane@.example.com":                    "",
		"jane@example..com":                    "",
		"jane@example.com..":                   "",
		"jane@192.0.2.1":                       "",
		"jane@1":                               "",
		"ja\u200bne@example.com":               "",
		"jane\u202e@example.com":               "",
		"ja\u00adne@example.com":               "",
		"jane\ufe0f@example.com":               "",
		"ja\u00a0ne@example.com":               "",
		"jane+tag@example.com":                 "jane+tag@example.com",
		"":                                     "",
		"jane":                                 "",
		"@example.com":                         "",
		"jane@":                                "",
		"jane@[192.0.2.1]":                     "",
		"jane roe@example.com":                 "",
		"jane@exa mple.com":                    "",
		"jane\x00@example.com":                 "",
		"jane\r\n@example.com":                 "",
		strings.Repeat("j", 65) + "@e.example": "",
		"<jane@example.com>":                   "",
		"a@b@example.com":                      "",
		"jane@-bad-.example":                   "",
	} {
		got, err := Canonical(addr)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Canonical(%q) = %q, %v; want %q", addr, got, err, want)
		}
		if again, _ := Canonical(got); again != got {
			t.Errorf("Canonical(%q) = %q: not stable", got, again)
		}
		if err != nil && addr != "" && strings.Contains(err.Error(), addr) && len(addr) > 12 {
			t.Errorf("the error for %q repeats the address: %v", addr, err)
		}
	}
}

func TestCheckName(t *testing.T) {
	for name, ok := range map[string]bool{
		"Tess Müller": true, "田中": true, "": false, "  ": false, "tess@x.example": false,
		"a\r\nBcc: x": false, "\u202egnp": false, strings.Repeat("x", 201): false, "\xff": false, "tess ＠ x": false,
		"=?utf-8?q?tess=40mail.example?=": false, "tess =?": false, "Is it? = yes": true,
	} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}

func TestMaskShowsNeitherNameNorDomain(t *testing.T) {
	for addr, want := range map[string]string{"tess@mail.example": "t***@***.example", "x": "***", "é@localhost": "é***@***.***"} {
		if got := Mask(addr); got != want {
			t.Errorf("Mask(%q) = %q, want %q", addr, got, want)
		}
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"plain": "plain", "Hamlet": "hamlet", "Grüße": "grusse", "É\tà  b": "e a b", "ﬁn": "fin", "Łódź": "lodz",
		"ＡＢ": "ab", "e\u0301": "e", "Ham\u00adlet": "hamlet", "İstanbul": "istanbul", "İ": "i", "日本": "日本", "a\r\n b": "a b",
		"Ὀδυσσεύς": "οδυσσευσ", "ΟΔΥΣΣΕΥΣ": "οδυσσευσ", "a\u180eb": "ab", "a\u202eb\u2060": "ab",
	} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
		if got := Fold(Fold(in)); got != want {
			t.Errorf("Fold is not idempotent for %q: %q", in, got)
		}
	}
}

func TestASignatureNeverDeniesWhatIsThere(t *testing.T) {
	text := Fold(strings.Repeat("The quick brown fox jumps over the lazy dog; Zwölf Boxkämpfer jagen Viktor. ", 20))
	s := NewSignature(text)
	for i := 0; i < len(text); i += 7 {
		for n := 1; n < 40 && i+n <= len(text); n += 5 {
			if !s.MayContain(text[i : i+n]) {
				t.Fatalf("denies %q, which is in the text", text[i:i+n])
			}
		}
	}
	if s.MayContain("ophelia in hamlet") {
		t.Error("does not rule out what is not there")
	}
}

func TestUIDSet(t *testing.T) {
	s := UIDsOf([]uint32{5, 1, 2, 3, 9, 8, 3})
	if want := (UIDSet{{1, 3}, {5, 5}, {8, 9}}); !slices.Equal(s, want) {
		t.Fatalf("UIDsOf = %v, want %v", s, want)
	}
	for uid := uint32(0); uid < 12; uid++ {
		if got, want := s.Contains(uid), slices.Contains([]uint32{1, 2, 3, 5, 8, 9}, uid); got != want {
			t.Errorf("Contains(%d) = %v", uid, got)
		}
	}
	const last = 1<<32 - 1
	if s, want := UIDsOf([]uint32{last, last - 1, last}), (UIDSet{{last - 1, last}}); !slices.Equal(s, want) {
		t.Errorf("the last UIDs = %v, want %v", s, want)
	}
}

func TestFlagOpApply(t *testing.T) {
	for _, c := range []struct {
		op          FlagOp
		kw, change  []string
		f, cf, want Flags
		wantKw      []string
	}{
		{FlagsAdd, []string{"$Label1"}, []string{"$label1", "x"}, FlagSeen, FlagDeleted, FlagSeen | FlagDeleted, []string{"$Label1", "x"}},
		{FlagsRemove, []string{"$Label1", "x"}, []string{"$LABEL1"}, FlagSeen | FlagDraft, FlagSeen, FlagDraft, []string{"x"}},
		{FlagsReplace, []string{"a"}, []string{"c", "b", "B"}, FlagSeen, FlagFlagged, FlagFlagged, []string{"b", "c"}},
		{FlagsReplace, []string{"$Label1"}, []string{"$label1", "x"}, 0, 0, 0, []string{"$Label1", "x"}},
	} {
		f, kw := c.op.Apply(c.f, c.kw, c.cf, c.change)
		if f != c.want || !slices.Equal(kw, c.wantKw) {
			t.Errorf("%v: %v %v, want %v %v", c.op, f, kw, c.want, c.wantKw)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"a@b.example", `"a b"@x.example`, "é@é.example", "a@b@c", "\"\\\"@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := Canonical(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(c, "\r\n\x00") {
			t.Fatalf("Canonical(%q) = %q has a control character", s, c)
		}
		if again, err := Canonical(c); err != nil || again != c {
			t.Fatalf("Canonical(%q) = %q, and of that %q, %v", s, c, again, err)
		}
		ParseLocal(s)
	})
}

func TestCheckSlugDoesNotRepeatAnAddress(t *testing.T) {
	for _, s := range []string{"tess@mail.example", "-tess@mail.example", "tess＠mail.example", "t-tess@mail.example"} {
		if err := CheckSlug(s); err == nil || strings.Contains(err.Error(), "mail.example") {
			t.Errorf("CheckSlug(%q) = %v", s, err)
		}
	}
}
