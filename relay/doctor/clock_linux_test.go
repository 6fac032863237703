package doctor

import (
	"strings"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	if f := clockFinding(true, time.Minute, 0); f.State != Warning || f.Todo == "" {
		t.Errorf("a clock that nothing keeps right: %+v", f)
	}
	if f := clockFinding(false, 20*time.Millisecond, -1234567*time.Nanosecond); f.State != OK || !strings.Contains(f.Text, "1.235ms off, 20ms at most") {
		t.Errorf("a clock that is kept right: %+v", f)
	}
	if f := (&doctor{}).clock(t.Context()); len(f) != 1 || f[0].State == Failed {
		t.Errorf("this machine's: %+v", f)
	}
}
