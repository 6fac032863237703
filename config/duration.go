package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time. It is written as a whole number and a unit:
// "5d", "4h", "30m" or "90s"; a day has 24 hours.
type Duration time.Duration

// maxDuration bounds a Duration: beyond it somebody has mistaken the unit.
const maxDuration = 3650 * 24 * time.Hour

var durationUnits = []struct {
	suffix string
	unit   time.Duration
}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}

// UnmarshalText reads a duration. The unit may be set off by a space.
func (d *Duration) UnmarshalText(text []byte) error {
	for _, u := range durationUnits {
		number, ok := strings.CutSuffix(strings.TrimSpace(string(text)), u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 32)
		if err != nil {
			break
		}
		if n > uint64(maxDuration/u.unit) {
			return fmt.Errorf("%q is too long", text)
		}
		*d = Duration(time.Duration(n) * u.unit)
		return nil
	}
	return fmt.Errorf("%q is not a length of time: write a whole number and d, h, m or s, such as \"5d\"", text)
}

// String returns the shortest form that reads back as the same duration.
func (d Duration) String() string {
	for _, u := range durationUnits {
		if t := time.Duration(d); t != 0 && t%u.unit == 0 {
			return strconv.FormatInt(int64(t/u.unit), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(time.Duration(d)/time.Second), 10) + "s"
}
