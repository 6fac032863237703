package export

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// mbox writes one file for each mailbox: messages after a "From " line each
// (RFC 4155), with the flags in fields that mail programs have used for long.
type mbox struct {
	create func(name string) (*file, error) // fs.ErrExist if there is one
	f      *file                            // of the mailbox; nil between mailboxes
}

func (m *mbox) begin(h store.Holding) (err error) {
	name := mboxName(h.Name)
	m.f, err = m.create(name)
	if errors.Is(err, fs.ErrExist) { // names that differ in case only
		m.f, err = m.create(strings.TrimSuffix(name, ".mbox") + "~" + nameHash(h.Name) + ".mbox")
	}
	return err
}

func (m *mbox) add(e threading.Entry, header []byte, body io.Reader) error {
	// Who sent it is in the header; the line needs a sender that is none.
	fmt.Fprintf(m.f.w, "From MAILER-DAEMON %s\n", e.SavedAt.UTC().Format(time.ANSIC))
	top := append(withoutStatus(header), status(e)...)
	_, ended, err := copyLines(m.f.w, io.MultiReader(bytes.NewReader(top), strings.NewReader("\r\n"), body), true)
	if err != nil {
		return err
	}
	if !ended {
		m.f.w.WriteByte('\n')
	}
	return m.f.w.WriteByte('\n')
}

func (m *mbox) end() error {
	f := m.f
	m.f = nil
	return f.close()
}

func (m *mbox) abort() {
	if m.f != nil {
		m.f.abort()
		m.f = nil
	}
}

// status are the fields that tell an entry's flags.
func status(e threading.Entry) string {
	read, more := "O", ""
	if e.Flags&threading.FlagSeen != 0 {
		read = "RO"
	}
	for _, f := range []struct {
		flag   threading.Flags
		letter string
	}{{threading.FlagAnswered, "A"}, {threading.FlagDeleted, "D"}, {threading.FlagFlagged, "F"}, {threading.FlagDraft, "T"}} {
		if e.Flags&f.flag != 0 {
			more += f.letter
		}
	}
	fields := "Status: " + read + "\r\n"
	if more != "" {
		fields += "X-Status: " + more + "\r\n"
	}
	if len(e.Keywords) > 0 {
		fields += "X-Keywords: " + strings.Join(e.Keywords, " ") + "\r\n"
	}
	return fields
}

// statusFields are those that readers of mbox files believe, so a message must
// not bring its own.
var statusFields = []string{"status:", "x-status:", "x-keywords:", "content-length:"}

// withoutStatus returns the fields of a header block without those, and
// without the empty line that ends it.
func withoutStatus(header []byte) []byte {
	kept := make([]byte, 0, len(header)+100)
	drop := false
	for line := range bytes.Lines(header) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		if line[0] != ' ' && line[0] != '\t' { // else it goes on the field before
			drop = false
			for _, name := range statusFields {
				drop = drop || len(line) >= len(name) && strings.EqualFold(string(line[:len(name)]), name)
			}
		}
		if !drop {
			kept = append(kept, line...)
		}
	}
	if n := len(kept); n > 0 && kept[n-1] != '\n' {
		kept = append(kept, "\r\n"...)
	}
	return kept
}
