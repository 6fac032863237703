package threading

import (
	"testing"
	"time"
)

func TestIDsAscendAlsoWhenTheClockStepsBack(t *testing.T) {
	s := NewIDSource()
	at := time.Date(2026, 9, 1, 10, 0, 0, 0, time.UTC)
	s.now = func() time.Time { return at }
	var last ID
	for i := 0; i < 20000; i++ {
		switch i {
		case 9000:
			at = at.Add(-time.Hour)
		case 15000:
			at = at.Add(2 * time.Hour)
		}
		id := s.Next()
		if id <= last {
			t.Fatalf("ID %d after %d: not ascending at %d", id, last, i)
		}
		if id < 0 {
			t.Fatalf("ID %d is negative", id)
		}
		last = id
	}
	if d := last.Time().Sub(at); d < 0 || d > time.Second {
		t.Errorf("the last ID's time is %v off", d)
	}
}
