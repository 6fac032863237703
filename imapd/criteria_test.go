package imapd

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/store"
)

// searched is a message as a search sees it.
func searched(t testing.TB, header, body string) *store.Scanned {
	t.Helper()
	c, err := mimetree.Read([]byte(header), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return &store.Scanned{
		Entry:  threading.Entry{UID: 7, Flags: threading.FlagSeen, Keywords: []string{"$Forwarded", "Work"}, SavedAt: time.Date(2026, 9, 1, 23, 30, 0, 0, time.UTC), HeaderSize: int64(len(header)), BodySize: int64(len(body))},
		Header: []byte(header), Text: c.Text,
	}
}

// finds reports whether a search matches, read as the store would read for it.
func finds(t testing.TB, c *imap.SearchCriteria, m *store.Scanned) bool {
	t.Helper()
	s := &Session{box: &selected{uids: []uint32{3, 7, 9}}}
	q, err := s.compile(plain(*c), 0)
	if err != nil {
		t.Fatal(err)
	}
	want, x := q.want(), *m
	if !want.Header {
		x.Header = nil
	}
	text, ruledOut := x.Text, false
	for _, needle := range q.texts() {
		ruledOut = ruledOut || !threading.NewSignature(text).MayContain(needle)
	}
	if ruledOut {
		text = ""
	}
	x.Text = ""
	return q.matches(&candidate{Scanned: &x, load: func() (string, bool, error) { return text, ruledOut, nil }})
}

func TestCriteria(t *testing.T) {
	m := searched(t, "From: =?iso-8859-1?q?J=FCrgen_M=FCller?= <t-abc@msg.example.com>\r\n"+
		"To: Tess <tess@msg.example.com>\r\nCc: <sam (the agent) @ (his) agency . example>\r\nSubject: =?utf-8?b?w4dhIHZh?= =?utf-8?q?_bien=3F?= Hamlet\r\n"+
		"Date: Mon, 31 Aug 2026 23:59:59 -0700\r\nKeywords: Hamlet,\r\n Ophelia\r\nX-Role: =?utf-8?q?L=C3=A9onie?=\r\nContent-Type: text/plain; charset=windows-1251\r\n\r\n",
		"\xcf\xf0\xe8\xe2\xe5\xf2,  Stra\xdfe\r\nbreak  a\r\nleg\r\n")
	day := func(d int) time.Time { return time.Date(2026, 9, d, 0, 0, 0, 0, time.UTC) }
	header := func(k, v string) imap.SearchCriteria {
		return imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: k, Value: v}}}
	}
	body := func(s ...string) imap.SearchCriteria { return imap.SearchCriteria{Body: s} }
	text := func(s ...string) imap.SearchCriteria { return imap.SearchCriteria{Text: s} }
	for name, c := range map[string]struct {
		criteria imap.SearchCriteria
		want     bool
	}{
		"all":                         {imap.SearchCriteria{}, true},
		"from, without accents":       {header("From", "jurgen muller"), true},
		"from, its address":           {header("FROM", "T-ABC@"), true},
		"from, what is in To":         {header("From", "tess"), false},
		"address with comments":       {header("Cc", "sam@agency.example"), true},
		"address, what is commented":  {header("Cc", "the agent"), true},
		"address that is not there":   {header("Cc", "sam@agency.example.org"), false},
		"subject across words":        {header("Subject", "ca va bien? ham"), true},
		"folded field":                {header("keywords", "hamlet, ophelia"), true},
		"role, other case":            {header("X-Role", "LÉONIE"), true},
		"field is there":              {header("X-Role", ""), true},
		"field is not there":          {header("X-Production", ""), false},
		"body in Cyrillic":            {body("ПРИВЕТ"), true},
		"body across lines":           {body("break a leg"), true},
		"body does not have headers":  {body("hamlet"), false},
		"text has headers":            {text("ophelia"), true},
		"text has the body":           {text("привет"), true},
		"text, both":                  {text("leonie", "a leg"), true},
		"text, one of two":            {text("leonie", "an arm"), false},
		"sent on, as written":         {imap.SearchCriteria{SentSince: day(0), SentBefore: day(1)}, true},
		"sent since the next day":     {imap.SearchCriteria{SentSince: day(1)}, false},
		"saved on":                    {imap.SearchCriteria{Since: day(1), Before: day(2)}, true},
		"saved before":                {imap.SearchCriteria{Before: day(1)}, false},
		"larger":                      {imap.SearchCriteria{Larger: m.Size() - 1}, true},
		"not larger than itself":      {imap.SearchCriteria{Larger: m.Size()}, false},
		"smaller":                     {imap.SearchCriteria{Smaller: m.Size()}, false},
		"flag":                        {imap.SearchCriteria{Flag: []imap.Flag{`\SEEN`, "$forwarded"}}, true},
		"no such flag":                {imap.SearchCriteria{Flag: []imap.Flag{imap.FlagFlagged}}, false},
		"without the keyword":         {imap.SearchCriteria{NotFlag: []imap.Flag{"work"}}, false},
		"recent":                      {imap.SearchCriteria{Flag: []imap.Flag{`\Recent`}}, false},
		"by number":                   {imap.SearchCriteria{SeqNum: []imap.SeqSet{imap.SeqSetNum(2)}}, true},
		"by another number":           {imap.SearchCriteria{SeqNum: []imap.SeqSet{imap.SeqSetNum(7)}}, false},
		"by UID":                      {imap.SearchCriteria{UID: []imap.UIDSet{imap.UIDSetNum(7)}}, true},
		"by UID, one set of two":      {imap.SearchCriteria{UID: []imap.UIDSet{imap.UIDSetNum(7), imap.UIDSetNum(9)}}, false},
		"not":                         {imap.SearchCriteria{Not: []imap.SearchCriteria{body("an arm")}}, true},
		"not, of what is there":       {imap.SearchCriteria{Not: []imap.SearchCriteria{body("leg")}}, false},
		"or, first":                   {imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{body("leg"), body("arm")}}}, true},
		"or, second":                  {imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{body("arm"), header("X-Role", "leonie")}}}, true},
		"or, neither":                 {imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{body("arm"), header("X-Role", "hamlet")}}}, false},
		"nested, the same word twice": {imap.SearchCriteria{Text: []string{"leg"}, Not: []imap.SearchCriteria{{Not: []imap.SearchCriteria{body("leg")}}}}, true},
		"nothing to look for":         {text(""), true},
	} {
		if got := finds(t, &c.criteria, m); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestCriteriaTooDeep(t *testing.T) {
	c := imap.SearchCriteria{}
	for range maxCriteria + 1 {
		c = imap.SearchCriteria{Not: []imap.SearchCriteria{c}}
	}
	if _, err := (&Session{}).compile(plain(c), 0); err == nil {
		t.Error("any depth is accepted")
	}
}

// FuzzSearch: what stands in a header or body is found, with its signature
// asked first, and NOT finds the opposite.
func FuzzSearch(f *testing.F) {
	f.Add("Subject: =?utf-8?q?J=C3=BCrgen?=", "stra\u00dfe \u00e9t\u00e9", 3, 9)
	f.Add("X: \xff\xfe", "\x00\u200b  a\t\u0130b", 0, 4)
	f.Fuzz(func(t *testing.T, field, body string, from, to int) {
		if len(field)+len(body) > 10000 || strings.Contains(body, "<") {
			return
		}
		header := strings.ReplaceAll(strings.ReplaceAll(field, "\r", ""), "\n", "") + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
		m := searched(t, header, body)
		for _, whole := range []string{m.Text, threading.Fold(mimetree.DecodeHeader(fieldValue(header)))} {
			if from < 0 || to > len(whole) || from >= to {
				continue
			}
			needle := whole[from:to]
			if threading.Fold(needle) != needle {
				continue // cut in the middle of something
			}
			c := imap.SearchCriteria{Text: []string{needle}}
			if !finds(t, &c, m) {
				t.Fatalf("%q is not found in %q", needle, whole)
			}
			if finds(t, &imap.SearchCriteria{Not: []imap.SearchCriteria{c}}, m) {
				t.Fatalf("NOT finds %q too", needle)
			}
		}
		finds(t, &imap.SearchCriteria{Text: []string{field}, Body: []string{body}, SentSince: time.Now()}, m)
	})
}

// fieldValue is the first field's value.
func fieldValue(header string) string {
	for _, v := range mimetree.Fields([]byte(header)) {
		return v
	}
	return ""
}
