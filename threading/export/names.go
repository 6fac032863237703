package export

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf16"
)

// maxFileName bounds the name of a file or directory that stands for a
// mailbox, in octets; file systems take 255.
const maxFileName = 200

// shortened cuts a name that is too long and makes it unique again by a hash.
// It cuts between characters.
func shortened(name string) string {
	if len(name) <= maxFileName {
		return name
	}
	keep := maxFileName - 9
	for keep > 0 && name[keep]&0xC0 == 0x80 { // within a character of UTF-8
		keep--
	}
	return name[:keep] + "~" + nameHash(name)
}

func nameHash(name string) string {
	h := sha256.Sum256([]byte(name))
	return hex.EncodeToString(h[:4])
}

// maildirName is the directory of a mailbox other than INBOX: its levels after
// a dot each, in modified UTF-7 (RFC 3501 section 5.1.3), as Maildir++ has it.
// A dot within a level is encoded as well, as Courier does.
func maildirName(mailbox string) string {
	return shortened("." + strings.ReplaceAll(modifiedUTF7(mailbox, ".~:\\"), "/", "."))
}

// mboxName is the file of a mailbox. Characters that some file system refuses,
// and the dot that parts levels, are written as %XX.
func mboxName(mailbox string) string {
	var b strings.Builder
	for _, c := range []byte(mailbox) {
		switch {
		case c == '/':
			b.WriteByte('.')
		case c < ' ', strings.IndexByte(`.%\:*?"<>|`, c) >= 0, c == 0x7f:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return shortened(b.String()) + ".mbox"
}

var utf7Encoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// modifiedUTF7 encodes a mailbox name; also encodes those of ASCII.
func modifiedUTF7(name, also string) string {
	var b strings.Builder
	var run []rune
	flush := func() {
		if len(run) == 0 {
			return
		}
		var octets []byte
		for _, u := range utf16.Encode(run) {
			octets = binary.BigEndian.AppendUint16(octets, u)
		}
		b.WriteString("&" + utf7Encoding.EncodeToString(octets) + "-")
		run = run[:0]
	}
	for _, r := range name {
		if r < ' ' || r > '~' || strings.ContainsRune(also, r) {
			run = append(run, r)
			continue
		}
		flush()
		if r == '&' {
			b.WriteString("&-")
			continue
		}
		b.WriteRune(r)
	}
	flush()
	return b.String()
}
