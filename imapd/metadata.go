package imapd

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
	"github.com/stagedoor/stagedoor/threading/store"
)

// entryNotify is the member's notification setting: immediate, daily or never.
// Below it are those of single threads, by THREADID.
const entryNotify = "/private/vendor/stagedoor/notify"

// Depth is how far below an entry's name GETMETADATA looks (RFC 5464 section
// 4.2.2).
type Depth int

// The depths.
const (
	DepthZero     Depth = 0
	DepthOne      Depth = 1
	DepthInfinity Depth = -1
)

// Metadata is an annotation. A nil Value is none, which SETMETADATA makes of
// it.
type Metadata struct {
	Name  string
	Value []byte
}

// MetadataOptions are those of GETMETADATA.
type MetadataOptions struct {
	MaxSize int64 // of a value, in octets; negative: any
	Depth   Depth
}

// Metadata answers GETMETADATA: the entries of those names, and below them as
// far as the depth says; a mailbox of no name is the account. longest is the
// size of the longest value that MaxSize left out, zero if there is none.
func (s *Session) Metadata(mailbox string, names []string, o MetadataOptions) (list []Metadata, longest int64, err error) {
	for _, name := range names {
		if err := checkEntry(name); err != nil {
			return nil, 0, err
		}
	}
	id, err := s.annotated(mailbox)
	if err != nil {
		return nil, 0, err
	}
	all, err := s.store().Annotations(s.ctx, s.member.ID, id)
	if err != nil {
		return nil, 0, err
	}
	if id == 0 {
		m, err := s.store().Member(s.ctx, s.member.ID)
		if err != nil {
			return nil, 0, fmt.Errorf("read the notification setting: %w", err)
		}
		all[entryNotify] = []byte(m.Alerts)
		threads, err := s.store().AlertsOfThreads(s.ctx, s.member.ID)
		if err != nil {
			return nil, 0, err
		}
		for thread, alerts := range threads {
			all[entryNotify+"/"+strings.ToLower(s.objectID(seal.TokenThread, thread))] = []byte(alerts)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !slices.ContainsFunc(names, func(asked string) bool { return atOrBelow(name, strings.ToLower(asked), o.Depth) }) {
			continue
		}
		if size := int64(len(all[name])); o.MaxSize >= 0 && size > o.MaxSize {
			longest = max(longest, size)
			continue
		}
		list = append(list, Metadata{name, all[name]})
	}
	return list, longest, nil
}

// atOrBelow reports whether an entry is the one that is asked for, or below it.
func atOrBelow(name, asked string, depth Depth) bool {
	rest, ok := strings.CutPrefix(name, asked)
	if !ok || rest != "" && rest[0] != '/' {
		return false
	}
	return depth == DepthInfinity || strings.Count(rest, "/") <= int(depth)
}

// annotated returns the mailbox whose annotations are meant; zero: the
// account.
func (s *Session) annotated(mailbox string) (threading.ID, error) {
	if mailbox == "" {
		return 0, nil
	}
	mb, err := s.store().Mailbox(s.ctx, s.member.ID, mailbox)
	return mb.ID, answer(err, imap.ResponseCodeNonExistent)
}

// SetMetadata answers SETMETADATA: all or nothing.
func (s *Session) SetMetadata(mailbox string, list []Metadata) error {
	id, err := s.annotated(mailbox)
	if err != nil {
		return err
	}
	values := map[string][]byte{}
	var alerts threading.Alerts
	threads := map[threading.ID]threading.Alerts{}
	for _, m := range list {
		name := strings.ToLower(m.Name)
		if err := checkEntry(name); err != nil {
			return err
		}
		switch {
		case len(m.Value) > store.MaxAnnotation:
			return no(imap.ResponseCode(fmt.Sprintf("METADATA MAXSIZE %d", store.MaxAnnotation)), "The annotation is longer than this server takes.")
		case id == 0 && name == entryNotify:
			if alerts, err = alertsOf(m.Value); err != nil {
				return err
			}
		case id == 0 && strings.HasPrefix(name, entryNotify+"/"):
			thread := s.parseObjectID(seal.TokenThread, "T"+strings.TrimPrefix(name, entryNotify+"/t"))
			if threads[thread] = threading.AlertsUsual; m.Value != nil {
				if threads[thread], err = alertsOf(m.Value); err != nil {
					return err
				}
			}
		case id == 0 && strings.HasPrefix(name, "/shared/"):
			return no(imap.ResponseCodeNoPerm, "What is shared by all accounts is not yours to change.")
		default:
			values[name] = m.Value
		}
	}
	if len(values) > 0 {
		if err := s.store().SetAnnotations(s.ctx, s.member.ID, id, values); errors.Is(err, store.ErrLimit) {
			return no("METADATA TOOMANY", "There are too many annotations.")
		} else if err != nil {
			return answer(err, imap.ResponseCodeNonExistent)
		}
	}
	for thread, alerts := range threads {
		if err := s.store().SetThreadAlerts(s.ctx, s.member.ID, thread, alerts); errors.Is(err, store.ErrNotFound) {
			return no(imap.ResponseCodeNonExistent, "There is no such conversation of yours.")
		} else if err != nil {
			return fmt.Errorf("change the notification setting of a thread: %w", err)
		}
	}
	if alerts == "" {
		return nil
	}
	if err := s.store().SetAlerts(s.ctx, s.member.ID, alerts); err != nil {
		return fmt.Errorf("change the notification setting: %w", err)
	}
	return nil
}

// alertsOf reads a notification setting. NIL is the one that members begin
// with.
func alertsOf(value []byte) (threading.Alerts, error) {
	switch alerts := threading.Alerts(strings.ToLower(strings.TrimSpace(string(value)))); {
	case value == nil:
		return threading.AlertsImmediate, nil
	case alerts == threading.AlertsImmediate, alerts == threading.AlertsDaily, alerts == threading.AlertsNever:
		return alerts, nil
	}
	return "", no(imap.ResponseCodeCannot, "Notifications are immediate, daily or never.")
}

// checkEntry checks an entry's name (RFC 5464 section 3.2).
func checkEntry(name string) error {
	lower := strings.ToLower(name)
	switch {
	case !strings.HasPrefix(lower, "/private/") && !strings.HasPrefix(lower, "/shared/") && lower != "/private" && lower != "/shared":
		return bad("An entry's name begins with /private/ or /shared/.")
	case strings.Contains(name, "//"), strings.HasSuffix(name, "/"), len(name) > store.MaxAnnotationName,
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == '*' || r == '%' }):
		return bad("An entry's name is not well formed.")
	}
	return nil
}
