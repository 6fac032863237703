package export

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// accountFile is the first file of an archive.
const accountFile = "account.json"

// Zip writes all that is a member's own as one zip archive: account.json, and an
// mbox file for each mailbox. It streams; after an error what was written is no
// whole archive, which every unzip tells.
func Zip(ctx context.Context, s *store.Store, member threading.Member, w io.Writer) (done Written, err error) {
	a, err := readAccount(ctx, s, member)
	if err != nil {
		return done, err
	}
	archive := zip.NewWriter(w)
	taken := map[string]bool{}
	create := func(name string) (*file, error) {
		if folded := strings.ToLower(name); taken[folded] { // some file systems don't tell them apart
			return nil, fs.ErrExist
		} else {
			taken[folded] = true
		}
		f, err := archive.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Now().UTC()})
		if err != nil {
			return nil, err
		}
		return &file{w: bufio.NewWriterSize(f, 64<<10)}, nil
	}
	f, err := create(accountFile)
	if err != nil {
		return done, err
	}
	e := json.NewEncoder(f.w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(a); err != nil {
		return done, err
	}
	if err := f.close(); err != nil {
		return done, err
	}
	if done, err = writeMailboxes(ctx, s, member.ID, &mbox{create: create}); err != nil {
		return done, err
	}
	return done, archive.Close()
}
