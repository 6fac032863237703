package threading

import "time"

// Text is the text of a first message, and how often it may be sent.
type Text struct {
	Hash []byte // keyed; nil: it is not counted
	// More than so many members to whom one writer sends it within TextFor, and so
	// many writers who send it, are reported to the operator, and also held for the
	// operator, or refused. Zero: no bound.
	Recipients, Writers int
	Hold, Refuse        bool
}

// TextFor is how long the same text is recognised.
const TextFor = 7 * 24 * time.Hour
