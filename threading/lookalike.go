package threading

import (
	"fmt"
	"strings"
)

// lookAlikes brings together what looks the same in the fonts that mail
// programs use.
var lookAlikes = []string{"0", "o", "1", "l", "i", "l", "5", "s", "rn", "m", "vv", "w"}

// Skeleton is what a handle looks like: two handles with the same skeleton can
// be taken for each other (Unicode Technical Standard 39 section 4, for the
// characters that a handle can have).
func Skeleton(handle string) string {
	for i := 0; i < len(lookAlikes); i += 2 {
		handle = strings.ReplaceAll(handle, lookAlikes[i], lookAlikes[i+1])
	}
	return handle
}

// reservedSkeletons are the names that no member may take, as they look.
var reservedSkeletons = func() map[string]string {
	m := map[string]string{}
	for name := range roleNames {
		m[Skeleton(name)] = name
	}
	return m
}()

// CheckHandle says why s can't be a new member's handle, in words for a
// person, or returns nil: CheckSlug, and no name that looks like a reserved one.
func CheckHandle(s string) error {
	if err := CheckSlug(s); err != nil {
		return err
	}
	if name := reservedSkeletons[Skeleton(s)]; name != "" {
		return fmt.Errorf("%q looks like %q, which is reserved (RFC 2142)", s, name)
	}
	return nil
}
