package threading

import "time"

// Pace bounds how much a member writes. Zero: no bound.
type Pace struct {
	ThreadsPerHour  int // members that conversations are started with
	ThreadsPerDay   int
	MessagesPerHour int // in conversations that there are already
}

// PaceSlot is how fine the account of a member's pace is.
const PaceSlot = 10 * time.Minute
