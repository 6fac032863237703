package imapd

import (
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/store"
)

func TestAllInASession(t *testing.T) {
	x := newBigWith(t, 8, store.Options{All: true})
	s := x.session()
	s.prepareAll()
	list, err := s.List("", []string{"*"}, &imap.ListOptions{ReturnSpecialUse: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(list, func(d Listed) bool { return d.Mailbox == "All" })
	if at < 0 || !slices.Contains(list[at].Attrs, imap.MailboxAttrAll) {
		t.Fatalf("LIST tells %+v", list)
	}
	if d, err := s.Select("All", SelectOptions{}); err != nil || d.NumMessages != 8 {
		t.Fatalf("%+v, %v", d, err)
	}

	// What is filed and read meanwhile is told here too.
	x.file(8)
	if _, err := x.store.StoreFlags(t.Context(), x.tess.ID, x.inbox.ID, threading.UIDSet{{First: 3, Last: 3}}, threading.FlagsAdd, threading.FlagSeen, nil); err != nil {
		t.Fatal(err)
	}
	updates, err := s.Poll(true)
	if err != nil || len(updates) != 2 || updates[0].Fetch == nil || updates[0].Fetch.Seq != 3 || updates[1].Exists != 9 {
		t.Errorf("told %+v, %v", updates, err)
	}
	threads, err := s.Thread(false, "REFS", &Criteria{})
	if got := string(AppendThreads(nil, threads)); err != nil || got != "(1 2 3 4)(5 6 7 8)(9)" {
		t.Errorf("threads %s, %v", got, err)
	}

	header, text := x.message(9)
	err = appendOne(s, "All", strings.NewReader(string(header)+text), int64(len(header)+len(text)), s.checked)
	refused(t, "APPEND", err, imap.ResponseCodeCannot)
	_, err = s.Expunge(nil)
	refused(t, "EXPUNGE", err, imap.ResponseCodeCannot)
	_, _, err = s.Copy(imap.SeqSetNum(1), "Trash", true)
	refused(t, "MOVE", err, imap.ResponseCodeCannot)
	refused(t, "DELETE", s.Delete("All"), imap.ResponseCodeCannot)
	_, err = s.Create("Every", &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrAll}})
	refused(t, "CREATE with \\All", err, codeUseAttr)
	if _, err := s.Store(imap.SeqSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted, imap.FlagFlagged}}, StoreOptions{}, func(FlagsUpdate) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := s.CloseMailbox(); err != nil {
		t.Errorf("CLOSE: %v", err)
	}
	if d, err := s.Select("INBOX", SelectOptions{}); err != nil || d.NumMessages != 9 {
		t.Fatalf("%+v, %v", d, err)
	}
	found, err := s.Search(plain(imap.SearchCriteria{Flag: []imap.Flag{imap.FlagFlagged}, NotFlag: []imap.Flag{imap.FlagDeleted}}), nil)
	if err != nil || len(found.UIDs) != 1 {
		t.Errorf("INBOX has %d that were flagged in All, %v", len(found.UIDs), err)
	}
}
