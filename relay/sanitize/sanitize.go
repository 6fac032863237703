// Package sanitize rebuilds a message so that nothing in it points to its
// writer's real address. It is a library on its own: bytes in, bytes out.
//
// Rewrite never filters: it parses the message into parts, decides for each
// part whether and as what it goes on, and writes a new message with new
// headers from a short list, new boundaries and new Content-IDs. What it has
// no rule for is not carried over. Text is redacted on the way: identifiers of
// the writer are replaced by the display name wherever the writer did not type
// them. Check then decodes the result again with other code (the standard
// library and enmime) and searches it in other ways; what it finds must not
// be sent.
//
// Any octets are accepted as input. The answer is a message, or a
// *RefusedError in words for the writer, in time linear in the input. Beside
// one text part of at most MaxText octets nothing is held in memory: an
// attachment streams from r to w. Only one whose format has to be read by
// offset (a document, a film) is held while it passes: in memory up to
// officeMemory, beyond that in a file of its own, which is unlinked at once.
// Reading is by offset: where r is no io.ReaderAt (an io.SectionReader,
// bytes.Reader, os.File are) the message is held in memory, at most MaxMessage
// octets of it. The package starts no goroutine.
//
// An attached file loses what it says of who made it and where; what it shows
// stays octet for octet, and counts as typed (docs/attachments.md).
//
// The reader and the writer are the package's own, small and streaming:
// go-message's reader gives up at the first malformed header line and nests a
// buffer for each level, and its writer folds and encodes where the output
// must be canonical. Its charset tables are used.
package sanitize

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
)

// Bounds of what is relayed.
const (
	MaxMessage   = 64 << 20  // octets of a message that is no io.ReaderAt
	MaxText      = 2 << 20   // octets of a text part, decoded
	MaxParts     = 500       // parts, in all levels
	maxDepth     = 30        // multiparts within each other
	maxNested    = 5         // messages within each other
	maxHeader    = 256 << 10 // octets of a header block
	maxSubject   = 500       // octets of Result.Subject
	maxFileName  = 180       // octets
	officeMemory = 1 << 20   // octets of a file read by offset that are held in memory
)

// Typed is what is done with an address of the writer's that the writer typed
// into the new part of a message.
type Typed string

// The policies of privacy.typed_address.
const (
	TypedAllow  Typed = "allow"
	TypedRedact Typed = "redact"
	TypedRefuse Typed = "refuse"
)

// Identity is all that points to the writer.
type Identity struct {
	Name      string   // display name; it replaces an identifier
	Addresses []string // real addresses
	// RelayDomain is the domain of the relay's own addresses: its t- and b-
	// addresses, which were issued to one person, never pass.
	RelayDomain string
	// RelayURL is the base of the relay's links (footers); quoted, they are removed.
	RelayURL string
	// Brand, if set, helps to recognise the relay's footer in quoted text,
	// where it follows the signature separator.
	Brand string
	// Hosts are host names and IP addresses that reveal the writer. They are
	// removed outside new text. Rewrite adds those of the message's own
	// Received and X-Originating-IP fields by itself.
	Hosts []string
}

// Options say how to rebuild.
type Options struct {
	Identity Identity
	Typed    Typed // empty: TypedAllow
	// RemoteImages says what is done with images on the web; empty: RemoteKeep.
	RemoteImages RemoteImages
	// Unwanted says which attached files are refused.
	Unwanted Unwanted
	// Preface, if set, is put as a line of its own at the top of the text
	// (text/plain and text/html alternatives alike).
	Preface string
	// Caution, if set, is put above everything else, as a warning of the relay's
	// own to the reader, who is not the writer: see cautionLine.
	Caution string
	// Rand makes boundaries and Content-IDs; nil: crypto/rand.
	Rand io.Reader
	// Domain stands right of the @ in Content-IDs.
	Domain string
	// TempDir is for documents and films beyond 1 MiB while their metadata is
	// removed; empty: the system's.
	TempDir string
}

// Result is what the rebuilt message's header block needs.
type Result struct {
	// MIMEFields are the top-level MIME-Version, Content-Type and
	// Content-Transfer-Encoding fields, each ended by CRLF.
	MIMEFields []byte
	// Subject is decoded and redacted, one line, valid UTF-8, at most 500 octets.
	Subject string
	// Repaired names what was wrong with the message and is mended, for the log.
	Repaired []string
	// Hosts are the host names and IP addresses that the message's own header
	// reveals: give them to Check in Identity.Hosts.
	Hosts []string
}

// RefusedError says, in words for the writer, why a message can't be relayed.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

func refuse(format string, args ...any) error {
	return &RefusedError{Reason: fmt.Sprintf(format, args...)}
}

var (
	errTooLong = &RefusedError{"Your message is too large to be relayed."}
	errTooDeep = &RefusedError{"Your message has too many messages or parts within each other. Please send its text by itself."}
	errHeader  = &RefusedError{"Your message's header is too long."}
	errText    = &RefusedError{"Your message's text is longer than 2 MB. Please send long texts as an attached file."}
	errTyped   = &RefusedError{"Your message's text contains your own e-mail address. Addresses can't be given here: please remove it and send the message again."}
)

// Rewrite reads a whole message (header and body) and writes the rebuilt body
// (without the top-level header) to w. A *RefusedError means that it can't be
// relayed; any other error is w's or r's.
//
// The output is canonical: lines end in CRLF and have at most 998 octets,
// text is UTF-8 in quoted-printable or base64, everything is 7-bit. A message
// of one text part stays one; of an alternative, an alternative.
func Rewrite(w io.Writer, r io.Reader, o Options) (Result, error) {
	src, err := open(r)
	if err != nil {
		return Result{}, err
	}
	if o.Typed == "" {
		o.Typed = TypedAllow
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	rw := &rewriter{o: o}
	if _, err := io.ReadFull(o.Rand, rw.key[:]); err != nil {
		return Result{}, fmt.Errorf("read random octets for boundaries: %w", err)
	}
	root, err := index(src, rw)
	if err != nil {
		return Result{}, err
	}
	hosts := hostsOf(&root.head)
	o.Identity.Hosts = append(o.Identity.Hosts[:len(o.Identity.Hosts):len(o.Identity.Hosts)], hosts...)
	rw.id = compile(&o.Identity)
	out, err := rw.plan(root, src, 0)
	if err != nil {
		return Result{}, err
	}
	out = rw.withPreface(out)
	res := Result{Subject: rw.subject(root.head.get("subject")), Hosts: hosts}
	if res.MIMEFields, err = rw.writeRoot(w, out); err != nil {
		return Result{}, err
	}
	res.Repaired = rw.repaired
	return res, nil
}

// rewriter is the state of one Rewrite.
type rewriter struct {
	o        Options
	id       *identity
	key      [16]byte // of this message's boundaries and Content-IDs
	serial   int      // of the last boundary
	parts    int
	nested   int
	repaired []string
}

// repair notes something that is mended, once.
func (rw *rewriter) repair(what string) {
	for _, r := range rw.repaired {
		if r == what {
			return
		}
	}
	rw.repaired = append(rw.repaired, what)
}

// LeakError names the place where an identifier was left.
type LeakError struct{ Part string }

func (e *LeakError) Error() string { return "an identifier of the writer is left in " + e.Part }

// isRefusal reports whether err is an answer for the writer.
func isRefusal(err error) bool {
	var r *RefusedError
	return errors.As(err, &r)
}
