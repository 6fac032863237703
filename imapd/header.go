package imapd

import (
	"bytes"
	"iter"
	"net/mail"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading/mimetree"
)

func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

// rawFields yields each field's name and its octets with the line ends. What
// is no field goes with the one before it.
func rawFields(header []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for len(header) > 0 {
			end := 0
			for {
				n := bytes.IndexByte(header[end:], '\n')
				if n < 0 {
					end = len(header)
					break
				}
				end += n + 1
				if end == len(header) || header[end] != ' ' && header[end] != '\t' {
					break
				}
			}
			field := header[:end]
			header = header[end:]
			if len(bytes.TrimRight(field, "\r\n")) == 0 {
				return
			}
			name, _, _ := bytes.Cut(field, []byte(":"))
			if !yield(string(bytes.TrimRight(name, " \t")), field) {
				return
			}
		}
	}
}

// sentDate is the day of the Date field, as written there; zero if it has none.
func sentDate(header []byte) time.Time {
	value, _ := mimetree.Field(header, "Date")
	t, err := mail.ParseDate(value)
	if err != nil {
		return time.Time{}
	}
	return day(t)
}

// day is a date without its time and zone, as SEARCH compares it (RFC 9051
// section 6.4.4).
func day(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
}
