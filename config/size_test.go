package config

import "testing"

func TestSize(t *testing.T) {
	for _, c := range []struct {
		text string
		want Size // -1: an error
		back string
	}{
		{"25MB", 25 << 20, "25MB"},
		{"25 mb", 25 << 20, "25MB"},
		{"1024KB", 1 << 20, "1MB"},
		{"1536KB", 1536 << 10, "1536KB"},
		{"1GB", 1 << 30, "1GB"},
		{"1000", 1000, "1000"},
		{"1000B", 1000, "1000"},
		{"0", 0, "0"},
		{"", -1, ""},
		{"MB", -1, ""},
		{"-1MB", -1, ""},
		{"1.5MB", -1, ""},
		{"25MiB", -1, ""},
		{"4000000000GB", -1, ""},
		{"99999999999999999999", -1, ""},
	} {
		var s Size
		err := s.UnmarshalText([]byte(c.text))
		if c.want < 0 {
			if err == nil {
				t.Errorf("%q reads as %d, want an error", c.text, s)
			}
			continue
		}
		if err != nil || s != c.want || s.String() != c.back {
			t.Errorf("%q = %d (%s), %v; want %d (%s)", c.text, s, s, err, c.want, c.back)
		}
	}
}
