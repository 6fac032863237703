package sanitize

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/ascii85"
	"encoding/binary"
	"hash/adler32"
	"io"
	"strconv"
)

// maxPDFStream bounds a stream that is unpacked, in octets.
const maxPDFStream = 16 << 20

// inflate unpacks a stream, as far as it can be read; false if it is
// compressed in another way or too long.
func (p *pdf) inflate(v *pdfValue, data []byte) ([]byte, bool) {
	out := bytes.Clone(data)
	for _, filter := range v.names(p.b, "Filter") {
		var r io.Reader
		switch filter {
		case "FlateDecode", "Fl":
			if parms, ok := v.get("DecodeParms"); ok && bytes.Contains(p.b[parms.start:parms.end], []byte("/Predictor")) && parms.number(p.b, "Predictor") != 1 {
				return nil, false
			}
			z, err := zlib.NewReader(bytes.NewReader(out))
			if err != nil {
				return nil, false
			}
			r = z
		case "ASCII85Decode", "A85":
			text, _, _ := bytes.Cut(bytes.TrimPrefix(bytes.TrimSpace(out), []byte("<~")), []byte("~"))
			r = ascii85.NewDecoder(bytes.NewReader(text))
		case "ASCIIHexDecode", "AHx":
			r = bytes.NewReader(pdfUnhex(out))
		default:
			return nil, false
		}
		var b bytes.Buffer
		// Many writers get a checksum or the end wrong; readers don't mind.
		n, err := io.Copy(&b, io.LimitReader(budget{r, p.a}, maxPDFStream+1))
		if err == errBomb || n > maxPDFStream {
			return nil, false
		}
		out = b.Bytes()
	}
	return out, true
}

// deflateTo packs content into exactly n octets; false if it takes more.
func deflateTo(content []byte, n int) ([]byte, bool) {
	var b bytes.Buffer
	b.WriteString("\x78\xda")
	f, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return nil, false
	}
	f.Write(content)
	f.Flush() // up to a whole octet
	sum := adler32.New()
	sum.Write(content)
	// Padding: stored blocks (RFC 1951 section 3.2.4) of spaces, which are
	// white space between objects, and an empty last block.
	const end = 5 + adler32.Size
	for room := n - b.Len() - end; room >= 5; room = n - b.Len() - end {
		size := min(room-5, 0xffff)
		block := make([]byte, 5+size)
		binary.LittleEndian.PutUint16(block[1:], uint16(size))
		binary.LittleEndian.PutUint16(block[3:], ^uint16(size))
		fill(block[5:])
		sum.Write(block[5:])
		b.Write(block)
	}
	b.WriteString("\x01\x00\x00\xff\xff")
	b.Write(sum.Sum(nil))
	if b.Len() > n {
		return nil, false
	}
	return append(b.Bytes(), make([]byte, n-b.Len())...), true // up to four octets that no reader looks at
}

// repack writes changed content back to where it was.
func (p *pdf) repack(v *pdfValue, data, content []byte) {
	if _, ok := v.get("Filter"); !ok {
		copy(data, content)
		return
	}
	if packed, ok := deflateTo(content, len(data)); ok {
		copy(data, packed)
		return
	}
	before, _ := p.inflate(v, data)
	p.a.sealed = p.a.sealed || p.a.holds(before)
}

// emptyXMP makes a metadata stream one that says nothing.
func (p *pdf) emptyXMP(v *pdfValue, data []byte) {
	empty := []byte(`<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"/><?xpacket end="w"?>`)
	if _, ok := v.get("Filter"); !ok {
		fill(data)
		if len(data) >= len(empty) {
			copy(data, empty)
		}
		return
	}
	for _, content := range [][]byte{empty, nil} {
		if packed, ok := deflateTo(content, len(data)); ok && v.name(p.b, "Filter") == "FlateDecode" {
			copy(data, packed)
			return
		}
	}
	clear(data)
}

// stripPacked takes the metadata out of the objects in an object stream
// (section 7.5.7).
func (p *pdf) stripPacked(v *pdfValue, data []byte) {
	content, ok := p.inflate(v, data)
	first, count := v.number(p.b, "First"), v.number(p.b, "N")
	if !ok || first < 0 || first > len(content) || count < 0 {
		p.a.sealed = true // what is in it can't be told
		return
	}
	p.work += 2 * len(content)
	numbers := bytes.Fields(content[:first])
	k := &pdfBlanker{pdf: p, b: content}
	for i := 0; i+1 < len(numbers) && i < 2*count; i += 2 {
		number, err := strconv.Atoi(string(numbers[i]))
		at, err2 := strconv.Atoi(string(numbers[i+1]))
		if err != nil || err2 != nil || at < 0 || first+at >= len(content) {
			continue
		}
		if o, ok := p.parseIn(content, first+at); ok {
			k.top(&o, pdfID{number, 0})
		}
	}
	if k.changed {
		p.repack(v, data, content)
	}
}
