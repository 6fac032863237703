package sanitize

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

func le16(n int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(n))) }
func le32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

// wide is a text in UTF-16.
func wide(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

// compound makes a compound file of names and contents, in turns, whose
// streams are all in sectors of their own.
func compound(files ...string) []byte {
	const sector = 512
	fat := []int{-3} // sector 0 is the table's
	var data, dir strings.Builder
	place := func(content string) int {
		first := len(fat)
		for n := max(1, (len(content)+sector-1)/sector); n > 0; n-- {
			next := len(fat) + 1
			if n == 1 {
				next = -2
			}
			fat = append(fat, next)
		}
		data.WriteString(content + strings.Repeat("\x00", (sector-len(content)%sector)%sector))
		return first
	}
	entry := func(name string, kind byte, first, size int) {
		dir.WriteString(wide(name) + strings.Repeat("\x00", 64-2*len(name)) + le16(2*len(name)+2) + string([]byte{kind, 1}) +
			strings.Repeat("\xff", 12) + strings.Repeat("\x00", 36) + le32(first) + le32(size) + le32(0))
	}
	entry("Root Entry", 5, -2, 0)
	for i := 0; i < len(files); i += 2 {
		content := files[i+1] + strings.Repeat("\x00", max(0, miniCutoff-len(files[i+1])))
		entry(files[i], 2, place(content), len(content))
	}
	directory := place(dir.String())
	table := ""
	for _, n := range fat {
		table += le32(n)
	}
	table += strings.Repeat("\xff", sector-len(table))
	head := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 16) + le16(62) + le16(3) + le16(-2) + le16(9) + le16(6) + strings.Repeat("\x00", 10) +
		le32(1) + le32(directory) + le32(0) + le32(miniCutoff) + le32(-2) + le32(0) + le32(-2) + le32(0) + le32(0) + strings.Repeat("\xff", 4*108)
	return []byte(head + table + data.String())
}

// propertySet is one section with an author, a thumbnail's size and a date.
func propertySet(author string) string {
	author += "\x00" + strings.Repeat("\x00", (4-(len(author)+1)%4)%4)
	text := le32(0x1e) + le32(len(author)) + author
	date := le32(0x40) + "DATEDATE"
	section := le32(2) + le32(4) + le32(24) + le32(12) + le32(24+len(text)) + text + date
	return le16(0xfffe) + le16(0) + le32(0) + strings.Repeat("\x00", 16) + le32(1) +
		"\xe0\x85\x9f\xf2\xf9\x4f\x68\x10\xab\x91\x08\x00\x2b\x27\xb3\xd9" + le32(48) + le32(len(section)+4) + section
}

// wordFile makes the two streams of a Word document whose tables have the
// contents by index.
func wordFile(text string, tables map[int]string) (fib, table string) {
	b := []byte("\xec\xa5" + strings.Repeat("\x00", 0x600-2) + text)
	for i := range 100 {
		if s := tables[i]; s != "" {
			binary.LittleEndian.PutUint32(b[0x9a+8*i:], uint32(len(table)))
			binary.LittleEndian.PutUint32(b[0x9a+8*i+4:], uint32(len(s)))
			table += s
		}
	}
	return string(b), table
}

func sttb(texts ...string) string {
	out := le16(0xffff) + le16(len(texts)) + le16(0)
	for _, s := range texts {
		out += le16(len(s)) + wide(s)
	}
	return out
}

// TestOLE: what old documents keep of people goes, at the same length; what
// they say stays, and counts as typed.
func TestOLE(t *testing.T) {
	initials := le32(0) + le32(9) + le16(2) + wide("JR") + strings.Repeat("\x00", 24)
	fib, table := wordFile("my resume", map[int]string{4: initials, 32: sttb("", "", secret), 36: le16(len(secret)) + wide(secret), 51: sttb("Unknown", secret), 71: sttb(secret, `C:\jane\cv.doc`)})
	shown, empty := wordFile("Write to "+secret, nil)
	biff := le16(0x809) + le16(4) + "\x00\x06\x05\x00" + le16(0x5c) + le16(112) + le16(len(secret)) + "\x00" + secret + strings.Repeat(" ", 109-len(secret)) +
		le16(0x1c) + le16(8+3+8) + "12345678" + le16(8) + "\x00Jane Roe" + le16(0xfc) + le16(9) + "my resume"
	user := le16(0) + le16(0xff6) + le32(0) + strings.Repeat("\x00", 12) + le16(len(secret)) + strings.Repeat("\x00", 6) + secret + le32(8) + wide(secret)
	comment := le16(15) + le16(0x2ee0) + le32(8+2*len(secret)+8+12) + le16(0) + le16(0xfba) + le32(2*len(secret)) + wide(secret) + le16(1<<4) + le16(0xfba) + le32(12) + wide("louder")
	slides := le16(15) + le16(1000) + le32(len(comment)) + comment
	for name, c := range map[string]struct {
		in            []byte
		gone, stays   string
		shown, hidden bool
	}{
		"properties":    {compound("\x05SummaryInformation", propertySet(secret)), secret, "DATEDATE", false, false},
		"Word's tables": {compound("WordDocument", fib, "0Table", table), wide("jane"), "my resume", false, false},
		"savers' paths": {compound("WordDocument", fib, "0Table", table), wide("cv.doc"), "my resume", false, false},
		"initials":      {compound("WordDocument", fib, "0Table", table), wide("JR"), "my resume", false, false},
		"Word's text":   {compound("WordDocument", shown, "0Table", empty), "\xfe", secret, true, false},
		"workbook":      {compound("Workbook", biff), secret, "my resume", false, false},
		"cell notes":    {compound("Workbook", biff), "Jane Roe", "my resume", false, false},
		"slides' user":  {compound("Current User", user), secret, "", false, false},
		"in UTF-16":     {compound("Current User", user), wide(secret), "", false, false},
		"slide comment": {compound("PowerPoint Document", slides), wide(secret), wide("louder"), false, false},
		"a mail":        {compound("__substg1.0_0C1F001E", secret), "\xfe", "", false, true},
		"slack":         {append(compound("Data", "x"), secret...), "\xfe", "", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			if !bytes.Contains(c.in, []byte(c.gone)) && c.gone != "\xfe" {
				t.Fatal("nothing to take out")
			}
			for _, typed := range []Typed{TypedAllow, TypedRefuse} {
				out, a := through(t, bytes.Clone(c.in), typed)
				if a.shown != c.shown || a.hidden != c.hidden || a.sealed {
					t.Errorf("%s: shown %v, hidden %v, sealed %v", typed, a.shown, a.hidden, a.sealed)
				}
				if len(out) != len(c.in) || c.gone != "\xfe" && bytes.Contains(out, []byte(c.gone)) || !bytes.Contains(out, []byte(c.stays)) {
					t.Errorf("%s: %q is left, or %q gone", typed, c.gone, c.stays)
				}
			}
		})
	}
}

// TestOLEGate: without its tables the gate tells properties from text.
func TestOLEGate(t *testing.T) {
	shown, empty := wordFile("Write to "+secret, nil)
	for name, c := range map[string]struct {
		in    []byte
		leaks bool
	}{
		"properties": {compound("\x05SummaryInformation", propertySet(secret)), true},
		"text":       {compound("WordDocument", shown, "0Table", empty), false},
	} {
		if found, err := (&gate{search: newSearch(jane), typed: TypedAllow}).leaksFile("application/msword", bytes.NewReader(c.in)); found != c.leaks || err != nil {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
}
