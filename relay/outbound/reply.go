package outbound

import (
	"bufio"
	"errors"
	"fmt"
	"strings"
)

// Bounds of a reply. RFC 5321 section 4.5.3.1.5 has 512 octets a line.
const (
	maxReplyLine  = 2000
	maxReplyLines = 100
)

// reply is a server's answer. Its text is kept for EHLO only: in a refusal it
// often repeats the address, and it is never logged or stored.
type reply struct {
	code     int
	enhanced string // "5.1.1" (RFC 2034), or empty
	lines    []string
}

var errReply = errors.New("the receiving server's answer is not SMTP")

// readReply reads an answer (RFC 5321 section 4.2.1).
func readReply(r *bufio.Reader) (reply, error) {
	var rep reply
	for range maxReplyLines {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				return rep, errReply
			}
			return rep, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if len(text) < 3 || text[0] < '2' || text[0] > '5' || !isDigit(text[1]) || !isDigit(text[2]) {
			return rep, errReply
		}
		code := int(text[0]-'0')*100 + int(text[1]-'0')*10 + int(text[2]-'0')
		if rep.code != 0 && rep.code != code {
			return rep, errReply
		}
		rep.code = code
		if len(text) == 3 {
			rep.lines = append(rep.lines, "")
			return rep, nil
		}
		rest := text[4:]
		if rep.enhanced == "" {
			rep.enhanced = enhancedCode(rest, text[0])
		}
		rep.lines = append(rep.lines, rest)
		switch text[3] {
		case ' ':
			return rep, nil
		case '-':
		default:
			return rep, errReply
		}
	}
	return rep, errReply
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// enhancedCode returns the enhanced status code that a reply's text begins
// with, of the class that the reply code has (RFC 2034 section 4).
func enhancedCode(text string, class byte) string {
	word, _, _ := strings.Cut(text, " ")
	parts := strings.Split(word, ".")
	if len(parts) != 3 || parts[0] != string(class) {
		return ""
	}
	for _, p := range parts {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return ""
		}
	}
	return word
}

// String is the reply as it may be stored and logged: the codes alone.
func (r reply) String() string {
	if r.enhanced == "" {
		return fmt.Sprint(r.code)
	}
	return fmt.Sprintf("%d %s", r.code, r.enhanced)
}
