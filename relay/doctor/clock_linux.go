package doctor

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// Of struct timex (adjtimex(2)).
const (
	timeError = 5      // TIME_ERROR: the clock is not synchronized
	nanos     = 0x2000 // STA_NANO: times are in nanoseconds
)

// clock asks the kernel whether something keeps its clock right. There is no
// other clock here to compare with that could be trusted more.
func (d *doctor) clock(context.Context) []Finding {
	var t syscall.Timex
	state, err := syscall.Adjtimex(&t) // without modes it only reads
	if err != nil {
		return one("clock", Skipped, "the kernel does not tell whether it is right: "+err.Error(), "")
	}
	unit := time.Microsecond
	if t.Status&nanos != 0 {
		unit = time.Nanosecond
	}
	return []Finding{clockFinding(state == timeError, time.Duration(t.Maxerror)*time.Microsecond, time.Duration(t.Offset)*unit)}
}

// clockFinding judges what the kernel says.
func clockFinding(unsynchronized bool, maxError, offset time.Duration) Finding {
	if unsynchronized {
		return Finding{"clock", Warning, "nothing keeps it right, as far as the kernel knows: signatures and certificates of a wrong time are refused",
			"run chrony or systemd-timesyncd (in a container: on the host)"}
	}
	return Finding{"clock", OK, fmt.Sprintf("kept right; %s off, %s at most", offset.Abs().Round(time.Microsecond), maxError.Round(time.Millisecond)), ""}
}
