package threading

import "time"

// Message is one message of a thread, as filed once for all participants.
type Message struct {
	ID        ID
	ThreadID  ID
	WriterID  ID
	BodyID    ID
	ForeignID string // the writer's own Message-ID without angle brackets; sealed in the store
	FiledAt   time.Time
	TLS       TLS
}

// TLS is what a message's writer asked of its way (RFC 8689).
type TLS string

// What a writer may ask. Nothing: TLS as the receiving domain wants it.
const (
	TLSRequired TLS = "required" // REQUIRETLS: verified TLS all the way, or not by mail at all
	TLSOptional TLS = "optional" // TLS-Required: No: it goes although TLS fails
)

// InlineBody is the largest body, in octets, that is kept in one piece and
// written in the transaction that files it. Larger ones are written before,
// in chunks of this size.
const InlineBody = 1 << 20

// Content is what is known of a body's bytes without reading them again. It
// is made by mimetree.Read.
type Content struct {
	// Structure is the encoded MIME tree (see package mimetree): where each
	// part begins and ends, in octets from the body's first.
	Structure []byte
	// Text is what a search looks at: the decoded text of the text parts and
	// the names of the others, folded by Fold, at most MaxSearchText octets.
	Text string
}

// Body is a message's bytes below its top-level header, stored once for all
// viewers. Either Data is set (at most InlineBody octets, written when the
// message is filed) or the chunks are in the store already.
type Body struct {
	ID   ID
	Size int64
	Data []byte
	Content
}

// Item is one viewer's copy of a message or draft: a header block and a body.
// It never changes. Its size is the sum of both.
type Item struct {
	ID       ID // EMAILID (RFC 8474 section 5.1) is its opaque form
	MemberID ID
	ThreadID ID // zero for what a client appended by itself
	// MessageID is the relay's message; zero for what a client appended.
	MessageID ID
	// Header is the header block including the empty line that ends it,
	// lines end in CRLF.
	Header   []byte
	BodyID   ID
	BodySize int64
}

// Size is RFC822.SIZE: header block plus body, in octets.
func (i Item) Size() int64 { return int64(len(i.Header)) + i.BodySize }

// Copy is what filing puts into one member's mailbox.
type Copy struct {
	MemberID ID
	Mailbox  SpecialUse // UseInbox or UseSent
	Header   []byte
	Flags    Flags
	Keywords []string
	// Notify: queue a notification of this copy to the member's real address, if
	// the member is told of the thread at once.
	Notify bool
	// Other: the member gets Filing.Other instead of Filing.Body.
	Other bool
	// ClientID is the keyed hash of the Message-ID under which the member's
	// own client may also APPEND the message to Sent; nil when there is none.
	ClientID []byte
}

// Filing is all that one accepted message changes in one thread. The store
// writes it in one transaction.
type Filing struct {
	// NewThread, if set, starts a thread; its participants and aliases come
	// with it. Otherwise Message.ThreadID names one that exists.
	NewThread *NewThread
	Message   Message
	Body      Body
	// Other, if set, is what some viewers get instead of Body: with a warning above
	// it.
	Other  *Body
	Copies []Copy
	// Dedupe is the keyed hash of (writer, thread or recipient, Message-ID, content): if it
	// was filed within DedupeFor, nothing is written and the first filing is
	// returned. Nil: not checked.
	Dedupe []byte
	// Single, with Dedupe, is the keyed hash of what is good for one message,
	// whatever is in it. Nil: not checked.
	Single []byte
	// Mark, if set, flags the writer's own copies of an earlier message.
	Mark *Mark
	// Hold, if set, is why only the writer's copy is filed; those of the others wait
	// for the operator.
	Hold string
	// Text is counted, if the filing starts a thread.
	Text Text
	// Pace bounds what the writer writes.
	Pace Pace
	// Automatic: no person wrote it. It makes nobody known to anybody.
	Automatic bool
	// NotifyAfter is how long notifications wait.
	NotifyAfter time.Duration
}

// Mark is what the writer's copies of the message that a filing answers or
// forwards get with it, in whatever mailbox they are.
type Mark struct {
	MessageID ID // zero: the thread's newest that another wrote
	Flags     Flags
	Keywords  []string
}

// KeywordForwarded is set on what was forwarded (RFC 5788).
const KeywordForwarded = "$Forwarded"

// DedupeFor is how long a sender's retry of the same message is recognised
// (RFC 5321 section 4.5.4.1 has senders give up after 4 to 5 days).
const DedupeFor = 5 * 24 * time.Hour

// NewThread is a thread with its participants and aliases, before it is
// stored.
type NewThread struct {
	Thread       Thread
	Participants []ID
	Aliases      []Alias
}

// Filed says what became of a Filing.
type Filed struct {
	ThreadID  ID
	MessageID ID
	Duplicate bool // a retry of what had been filed before
	Held      bool // only its writer has it yet
}
