package export

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// maildir writes Maildirs. A message is written in tmp and renamed to cur,
// under a name that tells its flags and sizes; its time of change is the date
// that IMAP tells.
//
// Keywords have no standard in Maildir. They are letters a to z, which the file
// dovecot-keywords explains as Dovecot does; a mailbox's 27th keyword and those
// after it are left out.
type maildir struct {
	root    string
	dir     string // of the mailbox
	mailbox threading.Mailbox
	letters map[string]byte
	order   []string
}

// maxLetters is how many keywords a Maildir has.
const maxLetters = 26

// forwarded is the keyword for which Maildir has a flag, P.
const forwarded = "$Forwarded"

func (m *maildir) begin(h store.Holding) error {
	m.mailbox, m.dir, m.letters, m.order = h.Mailbox, m.root, map[string]byte{}, nil
	if h.Name != threading.Inbox {
		m.dir = filepath.Join(m.root, maildirName(h.Name))
		err := os.Mkdir(m.dir, 0o700)
		if errors.Is(err, fs.ErrExist) { // names that differ in case only
			m.dir += "~" + nameHash(h.Name)
			err = os.Mkdir(m.dir, 0o700)
		}
		if err != nil {
			return err
		}
		mark, err := newFile(filepath.Join(m.dir, "maildirfolder"))
		if err != nil {
			return err
		}
		if err := mark.close(); err != nil {
			return err
		}
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := os.Mkdir(filepath.Join(m.dir, sub), 0o700); err != nil {
			return err
		}
	}
	return nil
}

func (m *maildir) add(e threading.Entry, header []byte, body io.Reader) error {
	base := fmt.Sprintf("%d.V%dU%d.stagedoor", e.SavedAt.Unix(), m.mailbox.UIDValidity, e.UID)
	temporary := filepath.Join(m.dir, "tmp", base)
	f, err := newFile(temporary)
	if err != nil {
		return err
	}
	size, _, err := copyLines(f.w, io.MultiReader(bytes.NewReader(header), body), false)
	if cerr := f.close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Chtimes(temporary, e.SavedAt, e.SavedAt); err != nil {
		return err
	}
	// S is the file's size, W the message's with CRLF (RFC822.SIZE).
	name := fmt.Sprintf("%s,S=%d,W=%d:2,%s", base, size, e.Size(), m.flags(e))
	return os.Rename(temporary, filepath.Join(m.dir, "cur", name))
}

// flags are the letters of an entry, in ASCII's order.
func (m *maildir) flags(e threading.Entry) string {
	var b strings.Builder
	for _, f := range []struct {
		letter byte
		set    bool
	}{
		{'D', e.Flags&threading.FlagDraft != 0},
		{'F', e.Flags&threading.FlagFlagged != 0},
		{'P', hasKeyword(e, forwarded)},
		{'R', e.Flags&threading.FlagAnswered != 0},
		{'S', e.Flags&threading.FlagSeen != 0},
		{'T', e.Flags&threading.FlagDeleted != 0},
	} {
		if f.set {
			b.WriteByte(f.letter)
		}
	}
	var own [maxLetters]bool
	for _, k := range e.Keywords {
		if l, ok := m.letter(k); ok {
			own[l-'a'] = true
		}
	}
	for i, set := range own {
		if set {
			b.WriteByte('a' + byte(i))
		}
	}
	return b.String()
}

// letter is the letter of a keyword in this mailbox.
func (m *maildir) letter(keyword string) (byte, bool) {
	key := strings.ToLower(keyword)
	if key == strings.ToLower(forwarded) {
		return 0, false
	}
	if l, ok := m.letters[key]; ok {
		return l, true
	}
	if len(m.order) == maxLetters {
		return 0, false
	}
	l := 'a' + byte(len(m.order))
	m.letters[key], m.order = l, append(m.order, keyword)
	return l, true
}

func hasKeyword(e threading.Entry, keyword string) bool {
	for _, k := range e.Keywords {
		if strings.EqualFold(k, keyword) {
			return true
		}
	}
	return false
}

func (m *maildir) end() error {
	if len(m.order) > 0 {
		f, err := newFile(filepath.Join(m.dir, "dovecot-keywords"))
		if err != nil {
			return err
		}
		for i, k := range m.order {
			fmt.Fprintf(f.w, "%d %s\n", i, k)
		}
		if err := f.close(); err != nil {
			return err
		}
	}
	if err := syncDir(filepath.Join(m.dir, "cur")); err != nil {
		return err
	}
	return syncDir(m.dir)
}

func (m *maildir) abort() {}
