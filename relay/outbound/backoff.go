package outbound

import (
	"math/rand/v2"
	"time"
)

// The waits between tries (RFC 5321 section 4.5.4.1 asks for at least half an
// hour in general but wants the first ones sooner; greylisting lifts within
// minutes).
const (
	firstWait = time.Minute
	maxWait   = 4 * time.Hour
)

// lastChance is for how long after a pause, or a longer break, nothing is given up
// for its age: what grew old meanwhile was not tried then.
const lastChance = 4 * time.Hour

// longestBreak is how long nothing may be sent, as around a restart, and it still
// counts as sending.
const longestBreak = 20 * time.Minute

// backoff is how long a row waits after it was tried once and n times more,
// give or take a fifth, so that what failed together does not come back
// together.
func backoff(n int) time.Duration {
	wait := maxWait
	if n < 16 {
		wait = min(firstWait<<max(n, 0), maxWait)
	}
	return wait - wait/5 + rand.N(wait/5*2)
}
