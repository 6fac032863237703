package sanitize

import (
	"bytes"
	"strconv"
)

// A PDF's metadata is overwritten where it stands, at the same length: all
// positions in the file hold, and pages stay octet for octet. The table of
// objects is not followed but every object looked at, so that what an older
// revision of the file said (ISO 32000-1 section 7.5.6) goes too.

// pdf is a file while its metadata is taken out.
type pdf struct {
	a         *attachment
	b         []byte
	objects   []pdfObject
	info      map[pdfID]bool // the document information dictionaries
	loose     map[pdfID]bool // strings that metadata refer to
	encrypted bool
	work      int // octets that may still be looked at
}

// pdfObject is a dictionary, and the stream that may follow it.
type pdfObject struct {
	id         pdfID
	at         int // of the dictionary
	data, stop int // of the stream; 0, 0 for none
}

// maxPDFObjects bounds the objects of a file: one of 1000 pages has 20,000.
const maxPDFObjects = 1 << 20

// isPDF tells by the header, which readers find in the first 1024 octets.
func isPDF(head []byte) bool { return bytes.Contains(head, []byte("%PDF-")) }

func (a *attachment) stripPDF(b []byte) []byte {
	p := &pdf{a: a, b: b, info: map[pdfID]bool{}, loose: map[pdfID]bool{}, work: pdfWork*len(b) + 1<<20}
	p.scan()
	p.trailers()
	for i := range p.objects {
		p.strip(&p.objects[i])
	}
	if len(p.loose) > 0 { // their places are known now
		for i := range p.objects {
			p.strip(&p.objects[i])
		}
	}
	blankXMP(b)
	if a.reads() {
		a.sealed = a.sealed || p.encrypted
		p.read()
	}
	return b
}

// pdfWork is how often each octet of a file is looked at, on average. In a
// file that is made to cost more the rest can't be told.
const pdfWork = 16

// parse reads an object of the file.
func (p *pdf) parse(at int) (pdfValue, bool) { return p.parseIn(p.b, at) }

// parseIn reads an object of the file or of an object stream.
func (p *pdf) parseIn(b []byte, at int) (pdfValue, bool) {
	l := &pdfLexer{b: b, at: at, values: maxPDFValues, ok: true}
	v := l.value(0)
	if p.work -= l.at - at; p.work < 0 {
		p.a.sealed = true
		return v, false
	}
	return v, l.ok
}

// scan finds the objects of a file by the word that they begin with.
func (p *pdf) scan() {
	for at := 0; len(p.objects) < maxPDFObjects; {
		i := bytes.Index(p.b[at:], []byte("obj"))
		if i < 0 {
			return
		}
		at += i + 3
		id, ok := pdfIDBefore(p.b, at-3)
		if !ok {
			continue
		}
		l := &pdfLexer{b: p.b, at: at, ok: true}
		l.skip()
		if l.at >= len(p.b) || bytes.IndexByte([]byte("<[("), p.b[l.at]) < 0 {
			continue
		}
		o := pdfObject{id: id, at: l.at}
		v, ok := p.parse(o.at)
		if p.work < 0 {
			return
		} else if !ok {
			continue
		}
		at = v.end
		if v.kind == pdfDict {
			p.stream(&o, &v)
			at = max(at, o.stop)
		}
		p.objects = append(p.objects, o)
	}
}

// pdfIDBefore reads the two numbers before the word obj.
func pdfIDBefore(b []byte, at int) (pdfID, bool) {
	number := func() (int, bool) {
		for at > 0 && pdfSpace(b[at-1]) {
			at--
		}
		end := at
		for at > 0 && end-at < 10 && b[at-1] >= '0' && b[at-1] <= '9' {
			at--
		}
		n, err := strconv.Atoi(string(b[at:end]))
		return n, err == nil
	}
	generation, ok := number()
	if !ok || at == 0 || !pdfSpace(b[at-1]) {
		return pdfID{}, false
	}
	n, ok := number()
	return pdfID{n, generation}, ok
}

// stream finds the data that follow a dictionary.
func (p *pdf) stream(o *pdfObject, v *pdfValue) {
	l := &pdfLexer{b: p.b, at: v.end, ok: true}
	l.skip()
	rest := p.b[l.at:]
	if !bytes.HasPrefix(rest, []byte("stream")) {
		return
	}
	o.data = l.at + len("stream")
	if bytes.HasPrefix(p.b[o.data:], []byte("\r\n")) {
		o.data += 2
	} else if o.data < len(p.b) && (p.b[o.data] == '\n' || p.b[o.data] == '\r') {
		o.data++
	}
	if n := v.number(p.b, "Length"); n >= 0 && o.data+n <= len(p.b) {
		after := bytes.TrimLeft(p.b[o.data+n:min(len(p.b), o.data+n+16)], " \r\n\t")
		if bytes.HasPrefix(after, []byte("endstr")) {
			o.stop = o.data + n
			return
		}
	}
	n := bytes.Index(p.b[o.data:], []byte("endstream"))
	if n < 0 {
		n = len(p.b) - o.data
	}
	o.stop = o.data + n
}

// trailers reads what the trailers, and the cross-reference streams in their
// place, say of the whole.
func (p *pdf) trailers() {
	take := func(v *pdfValue) {
		if info, _ := v.get("Info"); info.kind == pdfRef {
			p.info[info.ref] = true
		}
		if _, ok := v.get("Encrypt"); ok {
			p.encrypted = true
		}
	}
	eachIndex(p.b, []byte("trailer"), func(i int) {
		if p.work < 0 {
			return
		}
		if v, ok := p.parse(i + len("trailer")); ok && v.kind == pdfDict {
			take(&v)
		}
	})
	for i := range p.objects {
		o := &p.objects[i]
		if o.stop == 0 {
			continue
		}
		if v, ok := p.parse(o.at); ok && v.name(p.b, "Type") == "XRef" {
			take(&v)
		}
	}
}

// strip takes the metadata out of one object.
func (p *pdf) strip(o *pdfObject) {
	v, ok := p.parse(o.at)
	if !ok {
		return
	}
	(&pdfBlanker{pdf: p, b: p.b}).top(&v, o.id)
	if o.stop <= o.data {
		return
	}
	data := p.b[o.data:o.stop]
	switch kind := v.name(p.b, "Type"); {
	case kind == "Metadata" || v.name(p.b, "Subtype") == "XML":
		p.emptyXMP(&v, data)
	case kind == "ObjStm" && p.encrypted:
		p.a.sealed = true
	case kind == "ObjStm":
		p.stripPacked(&v, data)
	case v.name(p.b, "Filter") == "DCTDecode":
		blankJPEG(data)
	}
}

// pdfBlanker overwrites metadata in the objects of b.
type pdfBlanker struct {
	*pdf
	b       []byte // of the file, or of an object stream
	changed bool
}

// pdfMarkup are annotations that name their author in /T (section 12.5.6.2).
// In a form field /T is the field's name.
var pdfMarkup = map[string]bool{
	"Text": true, "FreeText": true, "Highlight": true, "Underline": true, "StrikeOut": true, "Squiggly": true, "Ink": true, "Line": true, "Square": true, "Circle": true,
	"Polygon": true, "PolyLine": true, "Stamp": true, "Caret": true, "FileAttachment": true, "Popup": true, "Sound": true, "Redact": true,
}

// top takes the metadata out of an object of the file.
func (k *pdfBlanker) top(v *pdfValue, id pdfID) {
	if k.loose[id] {
		k.all(v)
	}
	k.object(v, k.info[id])
}

// object takes the metadata out of an object and what is in it.
func (k *pdfBlanker) object(v *pdfValue, isInfo bool) {
	if v.kind == pdfArray {
		for i := range v.items {
			k.object(&v.items[i], false)
		}
	}
	if v.kind != pdfDict {
		return
	}
	kind, sub := v.name(k.b, "Type"), v.name(k.b, "Subtype")
	_, embeds := v.get("EF")
	isInfo = isInfo || kind == "" && sub == "" && pdfLooksLikeInfo(v)
	for i := range v.entries {
		e := &v.entries[i]
		text := e.value.kind == pdfLiteral || e.value.kind == pdfHex || e.value.kind == pdfRef
		switch {
		case isInfo && text:
			if e.key != "CreationDate" && e.key != "ModDate" {
				k.blank(e.value)
			}
		case e.key == "T" && text && (pdfMarkup[sub] || kind == "Annot" && sub == ""):
			k.blank(e.value)
		case kind == "Sig" || kind == "DocTimeStamp":
			k.signature(e)
		case (e.key == "F" || e.key == "UF" || e.key == "Desc" || e.key == "DOS" || e.key == "Unix" || e.key == "Mac") && text && (kind == "Filespec" || kind == "F" || embeds):
			if k.encrypted || k.a.holds(pdfText(k.b, e.value)) {
				k.blank(e.value)
			}
		case e.key == "PieceInfo": // what programs keep for themselves
			k.all(&e.value)
		default:
			k.object(&e.value, false)
		}
	}
}

// pdfLooksLikeInfo tells document information that no trailer points to any
// more.
func pdfLooksLikeInfo(v *pdfValue) bool {
	_, producer := v.get("Producer")
	_, creator := v.get("Creator")
	_, author := v.get("Author")
	_, date := v.get("CreationDate")
	return producer || author && (creator || date) || creator && date
}

// signature empties who signed. The signature holds no longer.
func (k *pdfBlanker) signature(e *pdfEntry) {
	switch e.key {
	case "Name", "ContactInfo", "Location", "Reason":
		k.blank(e.value)
	case "Contents", "Cert":
		if e.value.kind != pdfHex {
			k.blank(e.value)
			return
		}
		for i := e.value.start + 1; i < e.value.end-1; i++ {
			k.b[i] = '0'
		}
		k.changed = true
	}
}

// all blanks every string in a value.
func (k *pdfBlanker) all(v *pdfValue) {
	k.blank(*v)
	for i := range v.items {
		k.all(&v.items[i])
	}
	for i := range v.entries {
		k.all(&v.entries[i].value)
	}
}

// blank makes a string the empty one, and spaces.
func (k *pdfBlanker) blank(v pdfValue) {
	if v.kind == pdfRef {
		k.loose[v.ref] = true
	}
	if v.end-v.start <= 2 || v.kind != pdfLiteral && v.kind != pdfHex {
		return
	}
	closing := byte(')')
	if v.kind == pdfHex {
		closing = '>'
	}
	fill(k.b[v.start+1 : v.end])
	k.b[v.start+1] = closing
	k.changed = true
}

// blankXMP overwrites XMP packets that lie uncompressed in b, whichever
// object they belong to.
func blankXMP(b []byte) {
	for {
		i := bytes.Index(b, []byte("<x:xmpmeta"))
		if i < 0 {
			return
		}
		end := bytes.Index(b[i:], []byte("</x:xmpmeta>"))
		if end < 0 {
			return
		}
		fill(b[i : i+end+len("</x:xmpmeta>")])
		b = b[i+end:]
	}
}

func fill(b []byte) {
	for i := range b {
		b[i] = ' '
	}
}

// blankJPEG overwrites EXIF, XMP, IPTC and comments of a picture in a page,
// in place. How a page shows it does not depend on them.
func blankJPEG(b []byte) {
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		marker, size := b[at+1], int(b[at+2])<<8|int(b[at+3])
		if marker == 0xda || size < 2 || at+2+size > len(b) {
			return
		}
		if marker == 0xfe || marker == 0xe1 || marker == 0xed {
			clear(b[at+4 : at+2+size])
		}
		at += 2 + size
	}
}
