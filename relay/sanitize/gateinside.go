package sanitize

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/binary"
	"io"
	"regexp"
	"strings"
)

// The gate looks into attached files as they pass by, without the tables that
// they have: for a zip the parts' own headers, for a PDF each stream that
// unpacks. Where the policy lets an address pass in what a file shows, the gate
// tells by what stands before an address whether it is metadata.

// fileKind is how the gate looks into a file.
type fileKind uint8

const (
	fileOther  fileKind = iota // no address may be in it
	fileShows                  // what it says is there to be read
	filePDF                    // shows, and has streams
	fileZip                    // has parts
	fileOffice                 // of before 2003: shows, and has properties
	filePNG                    // has compressed texts
)

func kindOf(kind string, head []byte) fileKind {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		return fileZip
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return fileOffice
	case bytes.HasPrefix(head, []byte("\x89PNG")):
		return filePNG
	case bytes.Contains(head, []byte("%PDF-")):
		return filePDF
	case strings.HasPrefix(kind, "text/"), looseKind[kind] && plainText(head), bytes.HasPrefix(head, []byte(`{\rtf`)), bytes.HasPrefix(text, []byte("<")) && bytes.Contains(head, []byte("<svg")):
		return fileShows
	}
	return fileOther
}

// plainText reports whether a file is a text and no program's: a message, a
// print, metadata of a picture.
func plainText(head []byte) bool {
	control := bytes.IndexFunc(head, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\f\r", r) })
	return control < 0 && bytes.IndexByte(head, 0xff) < 0 && bytes.IndexByte(head, 0xfe) < 0 && !programText.Match(head)
}

var (
	programText = regexp.MustCompile(`(?i)^(?:From |%!|<\?xpacket|<x:xmpmeta|-----BEGIN)|(?:^|\n)(?:received|return-path|message-id|mime-version):`)
	// metadataBefore is how, in a PDF, XMP or RTF, the value of metadata begins.
	metadataBefore = regexp.MustCompile(`/(?:author|creator|producer|keywords|company|contactinfo)\s*[(<][^()<>]*$|<(?:rdf|dc|pdf|pdfx|xmp|xmpmm|photoshop|cc):\w+[^<]*$|\{\\(?:\*\\)?(?:author|operator|company|manager|atnauthor)\b[^{}]*$`)
	// authorBefore is how, in an office document's part, a name begins.
	authorBefore = regexp.MustCompile(`[\s:](?:author|initials|userid|username|displayname|lastmodifiedby)="[^"]*$|<(?:\w+:)?(?:author|creator|initial-creator|lastmodifiedby)>[^<]*$`)
	// metadataPart are parts of an office document that nobody reads.
	metadataPart = regexp.MustCompile(`^(?:docProps|customXml|docMetadata|META-INF)/|(?:^|/)(?:meta|people|person|settings|connections|commentAuthors|authors)\.xml$`)
)

// leaksFile reports whether a file holds an address where the policy does not
// allow it, or where it can't be told.
func (g *gate) leaksFile(kind string, r io.Reader) (bool, error) {
	br := bufio.NewReaderSize(r, 32<<10)
	head, _ := br.Peek(1024)
	what := kindOf(kind, head)
	raw := &octets{s: g.search}
	if g.typed == TypedAllow && what != fileOther && what != fileZip && what != filePNG {
		raw.leaks = metadataBefore.Match
		if what == fileOffice { // the name of the set of properties (MS-OLEPS section 3.1.1), in lower case
			raw.leaks = func([]byte) bool { return false }
			raw.mark = lowered([]byte("\xe0\x85\x9f\xf2\xf9\x4f\x68\x10\xab\x91\x08\x00\x2b\x27\xb3\xd9"))
		}
	}
	in := &inside{gate: g, left: maxInflated}
	var err error
	switch what {
	case fileZip:
		return in.zip(br)
	case filePDF, filePNG:
		in.br = bufio.NewReaderSize(io.TeeReader(br, raw), 32<<10)
		err = in.streams(what)
	default:
		_, err = br.WriteTo(raw)
	}
	return raw.found || in.found, err
}

// inside is a file that is unpacked while it passes.
type inside struct {
	*gate
	br    *bufio.Reader
	left  int64 // octets that may still be unpacked
	found bool
	z     io.ReadCloser
}

// unpacked searches what r unpacks to. A file that unpacks to too much is not
// sent: Rewrite lets none pass.
func (in *inside) unpacked(r io.Reader, leaks func([]byte) bool) {
	o := &octets{s: in.search, leaks: leaks}
	n, _ := io.Copy(o, io.LimitReader(r, in.left+1)) // what is damaged, nobody reads either
	in.left -= n
	in.found = in.found || o.found || in.left < 0
}

// streams finds what is packed by zlib in a PDF or PNG by the word before it.
func (in *inside) streams(what fileKind) error {
	word, last := "stream", byte('m')
	if what == filePNG {
		word, last = "zTXt", 't'
	}
	before := make([]byte, 0, 4*gateKeep) // the end of what passed
	for !in.found {
		piece, err := in.br.ReadSlice(last)
		if before = append(before, piece[max(0, len(piece)-gateKeep):]...); len(before) > gateKeep && cap(before)-len(before) < gateKeep {
			before = before[:copy(before, before[len(before)-gateKeep:])]
		}
		if err == io.EOF {
			return nil
		} else if err != nil && err != bufio.ErrBufferFull {
			return err
		}
		if !bytes.HasSuffix(before, []byte(word)) || bytes.HasSuffix(before, []byte("endstream")) {
			continue
		}
		if what == filePNG { // a keyword, a zero, and the method
			if _, err := in.br.ReadSlice(0); err != nil {
				continue
			}
			in.br.Discard(1)
			in.inflate(nil)
			continue
		}
		for c, _ := in.br.Peek(1); len(c) > 0 && (c[0] == '\r' || c[0] == '\n'); c, _ = in.br.Peek(1) {
			in.br.Discard(1)
		}
		in.pdfStream(before)
		before = before[:0]
	}
	_, err := io.Copy(io.Discard, in.br)
	return err
}

// pdfStream looks into a stream, if what stands before it says that it may
// matter.
func (in *inside) pdfStream(before []byte) {
	if i := bytes.LastIndex(before, []byte(" obj")); i >= 0 {
		before = before[i:]
	}
	has := func(s string) bool { return bytes.Contains(before, []byte(s)) }
	switch {
	case has("/Image"):
	case has("/Metadata"):
		in.inflate(nil)
	case in.typed != TypedAllow:
		in.inflate(nil)
	case has("/ObjStm"):
		in.inflate(metadataBefore.Match)
	}
}

// inflate searches zlib data, if there are some.
func (in *inside) inflate(leaks func([]byte) bool) {
	head, _ := in.br.Peek(2)
	if len(head) < 2 || head[0]&15 != 8 || (uint(head[0])<<8|uint(head[1]))%31 != 0 {
		return
	}
	var err error
	if in.z == nil {
		in.z, err = zlib.NewReader(in.br)
	} else {
		err = in.z.(zlib.Resetter).Reset(in.br, nil)
	}
	if err == nil {
		in.unpacked(in.z, leaks)
	}
}

// zip goes from part to part of a zip file (APPNOTE.TXT section 4.3). An
// archive that is no office document is searched as it is.
func (in *inside) zip(r io.Reader) (bool, error) {
	raw := &octets{s: in.search}
	in.br = bufio.NewReaderSize(io.TeeReader(r, raw), 32<<10)
	office := false
	var unpack io.ReadCloser
	for {
		head, err := in.br.Peek(30)
		if len(head) < 30 || string(head[:4]) != "PK\x03\x04" {
			if err != nil && err != io.EOF {
				return false, err
			}
			if len(head) < 30 || string(head[:4]) == "PK\x01\x02" { // the directory: names and comments
				break
			}
			in.br.Discard(1)
			continue
		}
		flags, method, size := binary.LittleEndian.Uint16(head[6:]), binary.LittleEndian.Uint16(head[8:]), int64(binary.LittleEndian.Uint32(head[18:]))
		nameLength, extra := int(binary.LittleEndian.Uint16(head[26:])), int(binary.LittleEndian.Uint16(head[28:]))
		name := make([]byte, nameLength)
		in.br.Discard(30)
		if _, err := io.ReadFull(in.br, name); err != nil {
			break
		}
		in.br.Discard(extra)
		office = office || isOfficeName(string(name))
		in.found = in.found || in.search.inOctets(name)
		switch {
		case method == 8:
			if unpack == nil {
				unpack = flate.NewReader(in.br)
			} else {
				unpack.(flate.Resetter).Reset(in.br, nil)
			}
			in.unpacked(unpack, in.partLeaks(string(name)))
		case method == 0 && flags&8 == 0:
			in.unpacked(io.LimitReader(in.br, size), in.partLeaks(string(name)))
		case method == 0:
			in.stored(in.partLeaks(string(name)))
		}
	}
	if _, err := io.Copy(io.Discard, in.br); err != nil {
		return false, err
	}
	if office {
		return in.found, nil
	}
	return raw.found, nil
}

// stored searches a part whose size stands behind it.
func (in *inside) stored(leaks func([]byte) bool) {
	o := &octets{s: in.search, leaks: leaks}
	for {
		piece, err := in.br.ReadSlice('P')
		o.Write(piece)
		if err != nil && err != bufio.ErrBufferFull {
			break
		}
		if next, _ := in.br.Peek(3); string(next) == "K\x07\x08" {
			break
		}
	}
	in.found = in.found || o.found
}

func isOfficeName(name string) bool {
	return name == "[Content_Types].xml" || name == "mimetype" || strings.HasPrefix(name, "docProps/")
}

// partLeaks is how to judge an address in a part; nil where none may be.
func (in *inside) partLeaks(name string) func([]byte) bool {
	xml := strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".rels") || strings.HasSuffix(name, ".vml")
	switch {
	case in.typed != TypedAllow, metadataPart.MatchString(name):
		return nil
	case xml:
		return authorBefore.Match
	case strings.HasPrefix(name, "word/embeddings/"), strings.Contains(name, "/embeddings/"), strings.HasPrefix(name, "Object"):
		return metadataBefore.Match // a document of its own, which was looked at when it was rewritten
	}
	return nil
}
