package sanitize

import (
	"encoding/base64"
	"strings"
)

// findsPacked searches what blocks of base64 in a text hold. Where in a block
// the encoding begins is not known: all four alignments are tried.
func (s *search) findsPacked(text string, what searchFor) bool {
	if what&searchAddresses == 0 {
		return false
	}
	found := false
	var raw []byte
	eachBlock(text, func(block []byte) {
		for off := 0; off < 4 && !found; off++ {
			part := block[off:]
			if len(part)%4 == 1 {
				part = part[:len(part)-1]
			}
			raw, _ = base64.RawStdEncoding.AppendDecode(raw[:0], part)
			found = s.inOctets(raw)
		}
	})
	return found || s.findsUU(text)
}

// findsUU searches the uuencoded files in a text, quoted or not.
func (s *search) findsUU(text string) bool {
	_, rest, ok := strings.Cut(text, "begin ")
	if !ok {
		return false
	}
	var raw []byte
	for line := range strings.SplitSeq(rest, "\n") {
		line = strings.TrimRight(line, "\r")
		for strings.HasPrefix(line, "> ") || strings.HasPrefix(line, ">>") {
			line = strings.TrimPrefix(line[1:], " ")
		}
		if want := len(line) - 1; want > 0 && (int(line[0]-' ')&0x3f+2)/3*4 == want {
			for ; len(line) > 4; line = line[4:] {
				v := uint32(0)
				for _, c := range []byte(line[1:5]) {
					v = v<<6 | uint32(c-' ')&0x3f
				}
				raw = append(raw, byte(v>>16), byte(v>>8), byte(v))
			}
		}
	}
	return s.inOctets(raw)
}

// wholeLine is from how many characters on a word of base64 may go on in the
// next line.
const wholeLine = 16

// eachBlock calls f with each block of base64 in a text, without the line
// ends, spaces and quote marks in it. The block is valid during the call.
func eachBlock(text string, f func(block []byte)) {
	var block []byte
	word := 0 // length of the word that ends here
	for i := 0; i <= len(text); i++ {
		switch {
		case i < len(text) && isBase64Table[text[i]]:
			word++
			continue
		case word >= wholeLine || word > 0 && len(block) > 0:
			block = append(block, text[i-word:i]...)
			if word >= wholeLine && i < len(text) && (text[i] == '\n' || text[i] == '\r' || text[i] == '>' || text[i] == ' ') {
				word = 0
				continue
			}
		case word == 0 && len(block) > 0 && i < len(text) && (text[i] == '\n' || text[i] == '\r' || text[i] == '>' || text[i] == ' '):
			continue
		}
		if len(block) >= minPacked {
			f(block)
		}
		block, word = block[:0], 0
	}
}
