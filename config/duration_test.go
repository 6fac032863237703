package config

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		text string
		want time.Duration // -1: an error
		back string
	}{
		{"5d", 120 * time.Hour, "5d"},
		{"120h", 120 * time.Hour, "5d"},
		{" 90 s", 90 * time.Second, "90s"},
		{"60m", time.Hour, "1h"},
		{"0s", 0, "0s"},
		{"3650d", maxDuration, "3650d"},
		{"3651d", -1, ""},
		{"5", -1, ""},
		{"d", -1, ""},
		{"", -1, ""},
		{"-1h", -1, ""},
		{"1.5h", -1, ""},
		{"1d12h", -1, ""},
		{"99999999999999999999d", -1, ""},
	} {
		var d Duration
		err := d.UnmarshalText([]byte(c.text))
		if c.want < 0 {
			if err == nil {
				t.Errorf("%q reads as %s, want an error", c.text, d)
			}
			continue
		}
		if err != nil || d != Duration(c.want) || d.String() != c.back {
			t.Errorf("%q = %s, %v; want %s", c.text, d, err, c.back)
		}
	}
}
