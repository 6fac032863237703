package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Bounds of what a client sends, in octets.
const (
	readBuffer = 2 << 10 // a larger one would cost each idle connection
	// maxCommand bounds a command, with the literals that are held but without
	// the messages of APPEND, which are streamed. Clients send UID sets of tens
	// of thousands of octets.
	maxCommand = 256 << 10
	// maxStranger bounds the commands of one who has not signed in.
	maxStranger = 64 << 10 // ID may have 30 KB (RFC 2971 section 3.3)
	// maxDropped bounds a non-synchronizing literal that is read and dropped;
	// past it the connection ends.
	maxDropped = 256 << 20
	maxNesting = 100 // parentheses
)

// syntaxError is what is wrong with a command; the client hears BAD.
type syntaxError string

func (e syntaxError) Error() string { return string(e) }

// errTooLong ends a command that is over its bound.
const errTooLong = syntaxError("The command is too long.")

// reader reads commands by the grammar of RFC 9051 section 9. The first error
// stays in err, and what is asked for after it is zero: a command is parsed
// whole before err is looked at.
type reader struct {
	b   *bufio.Reader
	err error
	// goAhead tells the client to send a synchronizing literal.
	goAhead func() error
	utf8    bool // mailbox names are UTF-8 (RFC 9051 section 5.1, RFC 6855 section 3)
	// left is how much of the command may still come.
	left int
	// line is the end of the line that was read last, for the literal that may
	// be announced there.
	line  [24]byte
	n     int
	ended bool // the command was read whole
}

func newReader(r io.Reader) *reader { return &reader{b: bufio.NewReaderSize(r, readBuffer)} }

// begin starts a command of at most so many octets.
func (r *reader) begin(limit int) { r.err, r.left, r.n, r.ended = nil, limit, 0, false }

// fail keeps the first error.
func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// bad fails with what is wrong.
func (r *reader) bad(text string) { r.fail(syntaxError(text)) }

// peek is the next octet, 0 after an error.
func (r *reader) peek() byte {
	if r.err != nil {
		return 0
	}
	p, err := r.b.Peek(1)
	if err != nil {
		r.fail(unexpected(err))
		return 0
	}
	return p[0]
}

// unexpected is an end in the middle of something.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next takes the next octet.
func (r *reader) next() byte {
	if r.err != nil {
		return 0
	}
	if r.left <= 0 {
		r.fail(errTooLong)
		return 0
	}
	c, err := r.b.ReadByte()
	if err != nil {
		r.fail(unexpected(err))
		return 0
	}
	r.left--
	r.line[r.n%len(r.line)] = c
	r.n++
	return c
}

// accept takes the next octet if it is c.
func (r *reader) accept(c byte) bool {
	if r.peek() != c || r.err != nil {
		return false
	}
	r.next()
	return true
}

// expect takes c or fails.
func (r *reader) expect(c byte) {
	if got := r.peek(); r.err == nil && got != c {
		r.bad(fmt.Sprintf("%q is expected, not %s.", c, shown(got)))
		return
	}
	r.next()
}

func shown(c byte) string {
	if c == '\r' || c == '\n' {
		return "the end of the line"
	}
	return strconv.QuoteRune(rune(c))
}

// sp takes the space between arguments. Some clients send two.
func (r *reader) sp() {
	r.expect(' ')
	for r.accept(' ') {
	}
}

// more takes a space if there is one: another argument follows.
func (r *reader) more() bool {
	if r.peek() != ' ' || r.err != nil {
		return false
	}
	r.sp()
	return !r.atEnd() // a space before the line's end is no argument
}

// atEnd reports whether the line ends here.
func (r *reader) atEnd() bool { c := r.peek(); return c == '\r' || c == '\n' }

// end takes the end of the line; a lone LF is one.
func (r *reader) end() {
	for r.peek() == ' ' {
		r.next()
	}
	r.accept('\r')
	r.expect('\n')
	r.ended = r.err == nil
}

// skipLine reads to the end of a command that is wrong, with the literals that
// are sent without waiting: their octets must not be taken for commands. A
// connection that can't be kept in step ends (false).
func (r *reader) skipLine() bool {
	dropped := 0
	for {
		if r.n == 0 || r.line[(r.n-1)%len(r.line)] != '\n' {
			for {
				c, err := r.b.ReadByte()
				if dropped++; err != nil || dropped > maxDropped {
					return false
				}
				r.line[r.n%len(r.line)] = c
				if r.n++; c == '\n' {
					break
				}
			}
		}
		size, sync, ok := r.announced()
		if !ok || sync {
			return true
		}
		if size > maxDropped-int64(dropped) {
			return false
		}
		dropped += int(size)
		if _, err := io.CopyN(io.Discard, r.b, size); err != nil {
			return false
		}
		r.n = 0
	}
}

// announced is the literal that the line's end announces.
func (r *reader) announced() (size int64, sync, ok bool) {
	tail := make([]byte, 0, len(r.line))
	for i := max(0, r.n-len(r.line)); i < r.n; i++ {
		tail = append(tail, r.line[i%len(r.line)])
	}
	line := strings.TrimRight(string(tail), "\r\n")
	open := strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return 0, false, false
	}
	digits, plus := strings.CutSuffix(line[open+1:len(line)-1], "+")
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, !plus, err == nil && n >= 0
}

// atomChar reports whether c may be in an atom (RFC 9051 section 9:
// ATOM-CHAR). Octets above ASCII are taken: what is wrong with them the
// argument's own check says.
func atomChar(c byte) bool {
	return c > ' ' && c != 0x7f && !strings.ContainsRune(`(){%*"\]`, rune(c)) || c >= 0x80
}

// run takes octets as long as they are allowed.
func (r *reader) run(allowed func(byte) bool) string {
	var b []byte
	for c := r.peek(); r.err == nil && allowed(c); c = r.peek() {
		b = append(b, r.next())
	}
	return string(b)
}

// atom reads an atom.
func (r *reader) atom() string { return r.some(r.run(atomChar), "a word") }

func (r *reader) some(s, what string) string {
	if s == "" && r.err == nil {
		r.bad(fmt.Sprintf("There should be %s, not %s.", what, shown(r.peek())))
	}
	return s
}

// word reads an atom in upper case: a keyword of the grammar.
func (r *reader) word() string { return strings.ToUpper(r.atom()) }

// astring reads a string or an atom that may have "]" in it.
func (r *reader) astring() string {
	if c := r.peek(); c == '"' || c == '{' {
		return r.str()
	}
	return r.some(r.run(func(c byte) bool { return atomChar(c) || c == ']' }), "a name or a string")
}

// nstring reads a string, or NIL (false).
func (r *reader) nstring() (string, bool) {
	if c := r.peek(); c == '"' || c == '{' || c == '~' {
		return r.str(), true
	}
	if !strings.EqualFold(r.atom(), "NIL") {
		r.bad("There should be a string or NIL.")
	}
	return "", false
}

// str reads a quoted string or a literal (RFC 9051 section 4.3).
func (r *reader) str() string {
	if r.peek() == '"' {
		return r.quoted()
	}
	size, ok := r.literal()
	if !ok {
		return ""
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(r.b, b); err != nil {
		r.fail(unexpected(err))
		return ""
	}
	r.left -= int(size)
	if strings.IndexByte(string(b), 0) >= 0 {
		r.bad("A literal must not hold NUL.")
	}
	return string(b)
}

func (r *reader) quoted() string {
	r.expect('"')
	var b []byte
	for r.err == nil {
		switch c := r.next(); c {
		case '"':
			return string(b)
		case '\\':
			if c := r.next(); r.err == nil {
				b = append(b, c)
			}
		case '\r', '\n':
			r.bad("A quoted string must end on its line.")
		default:
			b = append(b, c)
		}
	}
	return ""
}

// literal reads the head of a literal that is to be held, and its line's end.
func (r *reader) literal() (int64, bool) {
	size, sync := r.literalHead()
	if r.err != nil {
		return 0, false
	}
	if size > int64(r.left) {
		r.fail(&imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeTooBig, Text: "The literal is larger than this server takes."})
		return 0, false
	}
	return size, r.proceed(sync)
}

// literalHead reads {size}, {size+} or ~{size}, with its line's end (RFC 7888,
// RFC 3516).
func (r *reader) literalHead() (size int64, sync bool) {
	r.accept('~')
	r.expect('{')
	size = int64(r.number64())
	sync = !r.accept('+')
	r.expect('}')
	r.accept('\r')
	r.expect('\n')
	return size, sync
}

// proceed asks for a synchronizing literal.
func (r *reader) proceed(sync bool) bool {
	r.n = 0
	if sync {
		if err := r.goAhead(); err != nil {
			r.fail(err)
		}
	}
	return r.err == nil
}

// digits reads a number of at most so many bits.
func (r *reader) digits(bits int) uint64 {
	s := r.run(func(c byte) bool { return c >= '0' && c <= '9' })
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		r.bad("There should be a number.")
	}
	return n
}

// number reads a 32-bit number.
func (r *reader) number() uint32 { return uint32(r.digits(32)) }

// number64 reads a 63-bit number (RFC 9051 section 9: number64).
func (r *reader) number64() uint64 { return r.digits(63) }

// list calls each for every element of a parenthesised list.
func (r *reader) list(each func()) {
	r.expect('(')
	for r.accept(' ') {
	}
	for r.err == nil && !r.accept(')') {
		each()
		if r.peek() != ')' {
			r.sp()
		}
	}
}

// flag reads a flag; \* is not one.
func (r *reader) flag() imap.Flag {
	if r.accept('\\') {
		return imap.Flag(`\` + r.atom())
	}
	return imap.Flag(r.atom())
}

// flags reads a list of flags.
func (r *reader) flags() []imap.Flag {
	list := []imap.Flag{}
	r.list(func() { list = append(list, r.flag()) })
	return list
}

// mailbox reads a mailbox's name.
func (r *reader) mailbox() string { return r.mailboxName(r.astring()) }

func (r *reader) mailboxName(s string) string {
	if strings.EqualFold(s, "INBOX") {
		return "INBOX"
	}
	name, err := decodeMailbox(s, r.utf8)
	if err != nil {
		r.fail(err)
	}
	return name
}

// pattern reads what LIST looks for: wildcards may stand in it unquoted.
func (r *reader) pattern() string {
	s := ""
	if c := r.peek(); c == '"' || c == '{' {
		s = r.str()
	} else {
		s = r.some(r.run(func(c byte) bool { return atomChar(c) || c == ']' || c == '%' || c == '*' }), "a pattern")
	}
	name, err := decodeMailbox(s, r.utf8)
	if err != nil {
		r.fail(err)
	}
	return name
}
