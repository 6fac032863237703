package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Size is a number of octets. It is written as "25MB", "640KB" or a plain
// number; KB and MB are binary (1024 and 1024*1024 octets).
type Size int64

// Units of Size.
const (
	KB Size = 1 << 10
	MB Size = 1 << 20
	GB Size = 1 << 30
)

var sizeUnits = []struct {
	suffix string
	size   Size
}{{"GB", GB}, {"MB", MB}, {"KB", KB}, {"B", 1}}

// UnmarshalText reads a size. The unit may be in either case and set off by
// a space.
func (s *Size) UnmarshalText(text []byte) error {
	number, unit := strings.ToUpper(strings.TrimSpace(string(text))), Size(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.suffix); ok {
			number, unit = strings.TrimSpace(n), u.size
			break
		}
	}
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return fmt.Errorf("%q is not a size: write a whole number and KB, MB or GB, such as \"25MB\"", text)
	}
	if n > uint64(1<<40/unit) {
		return fmt.Errorf("%q is too large", text)
	}
	*s = Size(n) * unit
	return nil
}

// String returns the shortest form that reads back as the same size.
func (s Size) String() string {
	for _, u := range sizeUnits[:3] {
		if s >= u.size && s%u.size == 0 {
			return strconv.FormatInt(int64(s/u.size), 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}
