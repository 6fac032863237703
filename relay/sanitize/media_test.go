package sanitize

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
)

func be32(n int) string { return string(binary.BigEndian.AppendUint32(nil, uint32(n))) }

// boxOf is a box of ISO BMFF.
func boxOf(kind string, content ...string) string {
	c := strings.Join(content, "")
	return be32(8+len(c)) + kind + c
}

const nulls = "\x00\x00\x00\x00"

// track is a track of one kind, whose single chunk lies somewhere.
func track(handler string, at, size int) string {
	return boxOf("trak", boxOf("tkhd", nulls), boxOf("mdia",
		boxOf("hdlr", nulls, nulls, handler, nulls, nulls, nulls, "named "+secret+"\x00"),
		boxOf("minf", boxOf("dinf", boxOf("dref", nulls, be32(1), boxOf("alis", "\x00\x00\x00\x01", "/Users/jane/"+secret))),
			boxOf("stbl", boxOf("stsz", nulls, be32(0), be32(1), be32(size)), boxOf("stsc", nulls, be32(1), be32(1), be32(1), be32(1)), boxOf("stco", nulls, be32(1), be32(at))))))
}

// TestFilm: what is metadata becomes free space, and nothing moves.
func TestFilm(t *testing.T) {
	ftyp := boxOf("ftyp", "isom", nulls)
	xmp := "\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac"
	globe := "\xff\xcc\x82\x63\xf8\x55\x4a\x93\x88\x14\x58\x7a\x02\x52\x1f\xdd"
	for name, c := range map[string]struct{ in, gone, stays string }{
		"user data":         {boxOf("moov", boxOf("mvhd", "head"), boxOf("udta", boxOf("\xa9xyz", "\x00\x12\x15\xc7+52.5+013.4/"), boxOf("\xa9nam", secret))), "+52.5", "mvhd"},
		"in a track":        {boxOf("moov", boxOf("trak", boxOf("tkhd", "head"), boxOf("udta", boxOf("name", secret)))), secret, "tkhd"},
		"QuickTime keys":    {boxOf("moov", boxOf("meta", boxOf("keys", "mdtacom.apple.quicktime.location.ISO6709"), boxOf("ilst", secret))), "location", "moov"},
		"3GPP position":     {boxOf("moov", boxOf("loci", nulls+"Jane's")), "Jane", "moov"},
		"XMP":               {boxOf("uuid", xmp, "<x:xmpmeta>"+secret), "xmpmeta", "ftyp"},
		"XMP in the movie":  {boxOf("moov", boxOf("uuid", xmp, secret)), secret, "moov"},
		"a globe's":         {boxOf("moov", boxOf("trak", boxOf("uuid", globe, "<rdf:projection>"))), "\xfe", "<rdf:projection>"},
		"a fragment":        {boxOf("moof", boxOf("mfhd", "head"), boxOf("traf", boxOf("tfhd", "head"), boxOf("udta", secret), boxOf("trun", "runs"))), secret, "runs"},
		"handler's name":    {boxOf("moov", track("vide", 0, 0)), secret, "vide"},
		"data reference":    {boxOf("moov", track("vide", 0, 0)), "/Users/jane", "alis"},
		"free space":        {boxOf("free", secret), secret, "ftyp"},
		"64-bit size":       {boxOf("moov", "\x00\x00\x00\x01udta"+be32(0)+be32(16+len(secret))+secret), secret, "moov"},
		"unknown at top":    {boxOf("Xtra", secret), secret, "ftyp"},
		"old preview":       {boxOf("PICT", secret), secret, "ftyp"},
		"endless depth":     {strings.Repeat(be32(1<<20)+"moov", 30) + secret, "\xfe", "ftyp"},
		"box of no size":    {"\x00\x00\x00\x04moov" + strings.Repeat("x", 20), "\xfe", "xxx"},
		"size beyond file":  {be32(1<<30) + "moov" + strings.Repeat("x", 20), "\xfe", "xxx"},
		"size that is huge": {"\x00\x00\x00\x01moov" + strings.Repeat("\xff", 20), "\xfe", "moov"},
	} {
		t.Run(name, func(t *testing.T) {
			in := ftyp + c.in + boxOf("mdat", "the samples")
			out, _ := through(t, []byte(in), TypedAllow)
			if len(out) != len(in) || bytes.Contains(out, []byte(c.gone)) || !bytes.Contains(out, []byte(c.stays)) || !bytes.Contains(out, []byte(boxOf("mdat", "the samples"))) {
				t.Errorf("%q\nbecame %q", in, out)
			}
		})
	}
}

// TestCameraTrack: a track that says where the camera was goes, with its
// samples; other samples stay.
func TestCameraTrack(t *testing.T) {
	mdat := boxOf("mdat", "picture one", "+52.5+013.4", "picture two")
	in := func(handler string) string { return mdat + boxOf("moov", track(handler, 8+11, 11)) }
	out := string(stripped(t, []byte(in("meta"))))
	if want := boxOf("mdat", "picture one", strings.Repeat("\x00", 11), "picture two"); !strings.HasPrefix(out, want) || strings.Contains(out, "trak") || len(out) != len(in("meta")) {
		t.Errorf("%q", out)
	}
	if out := string(stripped(t, []byte(in("vide")))); !strings.HasPrefix(out, mdat) || !strings.Contains(out, "trak") {
		t.Errorf("a film's own track: %q", out)
	}
}

// TestHEIFItems: EXIF and XMP are overwritten where they lie, images are not,
// and what describes how to show them stays.
func TestHEIFItems(t *testing.T) {
	infe := func(id byte, kind, rest string) string {
		return boxOf("infe", "\x02\x00\x00\x00\x00", string(rune(id)), "\x00\x00", kind, rest)
	}
	exif := nulls + "MM\x00\x2a\x00\x00\x00\x08Artist " + secret
	xmp := "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">" + secret + "</x:xmpmeta>"
	build := func(at int) string {
		item := func(id byte, at, size int) string {
			return "\x00" + string(rune(id)) + "\x00\x00\x00\x01" + be32(at) + be32(size)
		}
		iloc := boxOf("iloc", nulls, "\x44\x00", "\x00\x03", item(1, at, 6), item(2, at+6, len(exif)), item(3, at+6+len(exif), len(xmp)))
		meta := boxOf("meta", nulls, boxOf("hdlr", nulls, nulls, "pict", nulls, nulls, nulls, "\x00"), boxOf("pitm", nulls, "\x00\x01"),
			boxOf("iinf", nulls, "\x00\x03", infe(1, "hvc1", secret+"\x00"), infe(2, "Exif", "\x00"), infe(3, "mime", "\x00application/rdf+xml\x00")), iloc,
			boxOf("iprp", boxOf("ipco", boxOf("irot", "\x01"), boxOf("colr", "prof"), boxOf("udes", nulls, secret)), boxOf("ipma", nulls)))
		return boxOf("ftyp", "heic", nulls) + meta + boxOf("mdat", "pixels", exif, xmp)
	}
	in := build(0)
	in = build(strings.Index(in, "pixels"))
	out := string(stripped(t, []byte(in)))
	if len(out) != len(in) || strings.Contains(out, "Artist") || strings.Contains(out, secret) {
		t.Errorf("%q", out)
	}
	for _, stays := range []string{"pixels", "irot\x01", "colrprof", "\x00\x00\x00\x00MM\x00\x2a", `<x:xmpmeta xmlns:x="adobe:ns:meta/"/>`} {
		if !strings.Contains(out, stays) {
			t.Errorf("%q is gone from %q", stays, out)
		}
	}
}

// TestRecordingTags: tags go from either end, frames stay.
func TestRecordingTags(t *testing.T) {
	frame := "\xff\xfb\x90\x64" + strings.Repeat("audio", 40)
	id3 := "ID3\x04\x00\x00\x00\x00\x00" + string(rune(len(secret)+4)) + "TXXX" + secret
	id31 := "TAG" + secret + strings.Repeat(" ", 125-len(secret))
	ape := "APETAGEX\xd0\x07\x00\x00" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(secret)+32))) + "\x01\x00\x00\x00\x00\x00\x00\xa0" + nulls + nulls
	ape += secret + ape[:20] + "\x01\x00\x00\x80" + nulls + nulls
	lyrics := "LYRICSBEGIN" + secret
	lyrics += fmt.Sprintf("%06dLYRICS200", len(lyrics))
	for name, in := range map[string]string{
		"ID3v2": id3 + frame, "twice": id3 + id3 + frame, "ID3v1": frame + id31, "extended": frame + "TAG+" + strings.Repeat("x", 223) + id31, "APE": frame + ape, "APE and ID3v1": frame + ape + id31,
		"Lyrics3": frame + lyrics, "all": id3 + frame + ape + lyrics + id31, "none": frame, "size beyond file": frame + "TAG",
	} {
		t.Run(name, func(t *testing.T) {
			want := frame
			if name == "size beyond file" {
				want = in
			}
			if out := stripped(t, []byte(in)); string(out) != want {
				t.Errorf("%q", out)
			}
		})
	}
	if out, a := through(t, []byte(frame+secret+frame), TypedAllow); !a.hidden || len(out) != 2*len(frame)+len(secret) {
		t.Error("an address between frames was let pass")
	}
}

// TestOggChecksum: it is what another program counted.
func TestOggChecksum(t *testing.T) {
	b := realFiles(t)["sound.ogg"]
	page := bytes.Clone(b[:27+1+30])
	want := binary.LittleEndian.Uint32(page[22:])
	clear(page[22:26])
	if got := oggChecksum(page); got != want {
		t.Errorf("%08x, not %08x", got, want)
	}
}

// TestMatroska: elements become Void elements of the same size.
func TestMatroska(t *testing.T) {
	sized := func(id, content string) string { return id + "\x10" + be32(len(content))[1:] + content }
	info := sized("\x15\x49\xa9\x66", sized("\x2a\xd7\xb1", "\x0f\x42\x40")+sized("\x7b\xa9", secret)+sized("\x57\x41", "muxer"))
	for _, tags := range []string{secret, strings.Repeat(secret, 50)} {
		in := sized("\x1a\x45\xdf\xa3", "webm") + sized("\x18\x53\x80\x67", info+sized("\x12\x54\xc3\x67", tags)+sized("\x1f\x43\xb6\x75", "cluster"))
		out := string(stripped(t, []byte(in)))
		if len(out) != len(in) || strings.Contains(out, secret) || !strings.Contains(out, "cluster") || !strings.Contains(out, "muxer") || strings.Count(out, "\xec") < 2 {
			t.Errorf("%q", out)
		}
	}
}

// TestRIFF: chunks of text become JUNK, sizes stay, and what follows goes.
func TestRIFF(t *testing.T) {
	chunk := func(kind, body string) string { return kind + le32(len(body)) + body }
	secret := secret + "." // of even length
	wave := chunk("RIFF", "WAVE"+chunk("fmt ", "format")+chunk("LIST", "INFOIART"+le32(24)+secret)+chunk("bext", secret)+chunk("8  V", secret)+chunk("data", "samples!"))
	out := string(stripped(t, []byte(wave+secret)))
	want := chunk("RIFF", "WAVE"+chunk("fmt ", "format")+chunk("JUNK", strings.Repeat("\x00", 12+len(secret)))+chunk("JUNK", strings.Repeat("\x00", len(secret)))+chunk("JUNK", strings.Repeat("\x00", len(secret)))+chunk("data", "samples!"))
	if out != want {
		t.Errorf("%q\nwant %q", out, want)
	}
	if _, a := through(t, []byte(chunk("RIFF", "ACON"+secret)), TypedAllow); !a.hidden {
		t.Error("an unknown form was let pass")
	}
}
