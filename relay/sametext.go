package relay

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/relay/spool"
	"github.com/stagedoor/stagedoor/threading"
)

// SameText says how often one text may be sent to members as a first message.
type SameText struct {
	Recipients, Writers int  // zero: no bound
	Hold, Refuse        bool // what is too often; else it is only reported
}

// minText is how many words a text needs to be told from others: short ones are
// the same by chance.
const minText = 12

var (
	errSameText       = refuse(550, 5, 7, 1, "The same text has been sent to too many members within a week, so your message was not delivered. Please write to them one by one, about what each of them can do.")
	errSameTextByMany = refuse(550, 5, 7, 1, "Too many members have sent the same text within a week, so your message was not delivered. Please write it in your own words.")
)

// counter makes a first message's text as it is counted. The message is read
// once, and only if there is such a letter.
type counter struct {
	p    *Pipeline
	msg  *spool.Message
	read bool
	text string
}

func (c *counter) of(l *letter) (threading.Text, error) {
	p := c.p
	if l.newThread == nil || p.o.SameText.Recipients == 0 && p.o.SameText.Writers == 0 {
		return threading.Text{}, nil
	}
	if !c.read {
		var err error
		if c.text, err = sanitize.NewText(c.msg.Open()); err != nil {
			return threading.Text{}, err
		}
		c.read = true
	}
	var names []string
	for _, m := range l.view.Participants {
		names = append(names, m.Handle, m.Name)
	}
	words := essence(c.text, names)
	if len(words) < minText {
		return threading.Text{}, nil
	}
	return threading.Text{Hash: p.o.Store.Keyring().Hash("text", strings.Join(words, " ")), Recipients: p.o.SameText.Recipients, Writers: p.o.SameText.Writers, Hold: p.o.SameText.Hold, Refuse: p.o.SameText.Refuse}, nil
}

// essence is what stays of a text from reader to reader: its words in lower case,
// without accents, numbers, links and names.
func essence(text string, names []string) []string {
	skip := map[string]bool{}
	letters := func(r rune) bool { return !unicode.IsLetter(r) }
	fold := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.In(r, unicode.Mn, unicode.Cf) {
				return -1
			}
			return unicode.ToLower(r)
		}, norm.NFKD.String(s))
	}
	for _, name := range names {
		for _, w := range strings.FieldsFunc(fold(name), letters) {
			skip[w] = true
		}
	}
	var words []string
	for _, field := range strings.Fields(fold(text)) {
		if strings.Contains(field, "://") || strings.ContainsFunc(field, unicode.IsDigit) {
			continue
		}
		for _, w := range strings.FieldsFunc(field, letters) {
			if !skip[w] {
				words = append(words, w)
			}
		}
	}
	return words
}
