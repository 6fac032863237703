package imapd

import (
	"fmt"
	"runtime/debug"
)

// aside runs f on a goroutine of its own and waits for it. A query takes a deep
// stack, which the runtime then leaves to the goroutine for a while: thousands
// of sessions that signed in, opened a mailbox and idle must not each keep one.
// A panic becomes an error, and so ends one command only.
func aside(f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		done <- f()
	}()
	return <-done
}
