package export

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

// accountFile is the first file of an archive.
const accountFile = "account.json"

// account is what is the member's own beside the mailboxes: settings, and what
// they told the relay. Of others it holds display names only.
type account struct {
	Handle      string       `json:"handle"`
	Name        string       `json:"name"`
	MemberSince time.Time    `json:"member_since"`
	Alerts      string       `json:"alerts"`
	DigestAt    string       `json:"digest_at"`
	Timezone    string       `json:"timezone"`
	Addresses   []address    `json:"addresses"`
	Productions []production `json:"productions"`
	Blocked     []string     `json:"blocked_members"`
	Apps        []app        `json:"app_passwords"`
	Sessions    []session    `json:"sessions"`
}

type address struct {
	Address string    `json:"address"`
	Primary bool      `json:"primary"`
	Added   time.Time `json:"added"`
}

type production struct {
	Slug  string   `json:"slug"`
	Title string   `json:"title"`
	Roles []string `json:"roles"`
}

type app struct {
	Name     string     `json:"name"`
	Made     time.Time  `json:"made"`
	LastUsed *time.Time `json:"last_used"`
}

type session struct {
	Browser string    `json:"browser"`
	Began   time.Time `json:"began"`
}

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

func readAccount(ctx context.Context, s *store.Store, m threading.Member) (account, error) {
	a := account{
		Handle: m.Handle, Name: m.Name, MemberSince: m.CreatedAt, Alerts: string(m.Alerts), DigestAt: m.DigestAt, Timezone: m.Timezone,
		Addresses: []address{}, Productions: []production{}, Blocked: []string{}, Apps: []app{}, Sessions: []session{},
	}
	addresses, err := s.Addresses(ctx, m.ID)
	if err != nil {
		return a, err
	}
	for _, x := range addresses {
		a.Addresses = append(a.Addresses, address{x.Real, x.Primary, x.CreatedAt})
	}
	productions, err := s.ProductionsOf(ctx, m.ID, m.ID)
	if err != nil {
		return a, err
	}
	for _, x := range productions {
		p := production{Slug: x.Slug, Title: x.Title, Roles: []string{}}
		roles, err := s.Roles(ctx, x.ID)
		if err != nil {
			return a, err
		}
		for _, r := range roles {
			p.Roles = append(p.Roles, r.Title)
		}
		a.Productions = append(a.Productions, p)
	}
	blocked, err := s.BlockedMembers(ctx, m.ID)
	if err != nil {
		return a, err
	}
	for _, x := range blocked {
		a.Blocked = append(a.Blocked, x.DisplayName())
	}
	credentials, err := s.Credentials(ctx, m.ID)
	if err != nil {
		return a, err
	}
	for _, c := range credentials {
		if c.Kind != threading.CredentialApp {
			continue
		}
		x := app{Name: c.Label, Made: c.CreatedAt}
		if !c.LastUsedAt.IsZero() {
			x.LastUsed = &c.LastUsedAt
		}
		a.Apps = append(a.Apps, x)
	}
	sessions, err := s.Sessions(ctx, m.ID)
	if err != nil {
		return a, fmt.Errorf("read the account: %w", err)
	}
	for _, x := range sessions {
		a.Sessions = append(a.Sessions, session{x.Agent, x.CreatedAt})
	}
	return a, nil
}
