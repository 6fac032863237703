package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stagedoor/stagedoor/relay"
	"github.com/stagedoor/stagedoor/relay/language"
	"github.com/stagedoor/stagedoor/relay/sanitize"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/mimetree"
	"github.com/stagedoor/stagedoor/threading/store"
)

// Bounds of a digest.
const (
	maxDigest  = 50        // threads that are shown; the rest is counted
	maxExcerpt = 300       // octets of the newest message's text
	maxPreview = 140       // octets of what stands beside the subject
	peekBody   = 256 << 10 // octets of a message's body that an excerpt is looked for in
)

// DigestThread is a thread as a digest shows it.
type DigestThread struct {
	With     string // the others, by name
	About    string // "Ophelia in Hamlet"; may be empty
	Subject  string
	Messages int // new ones
	Excerpt  string
	Alias    string // address that answers it
	Reply    string // mailto: link that does
	others   []threading.Member
	whole    bool // Subject is the conversation's own
}

// digestView is what a digest's templates see.
type digestView struct {
	Look
	Name    string // of the reader
	Title   string
	Preview string // what mail programs show beside the subject
	Threads []DigestThread
	More    int  // threads that are not shown
	Count   int  // of all threads
	Single  bool // a reply answers the one thread
}

// digestOf makes a member's digest of what came from since until before until.
// ok is false if there is nothing to tell. A bare one says how many
// conversations have something new, and nothing else of them.
func (r *Renderer) digestOf(ctx context.Context, m threading.Member, since, until time.Time, bare bool) (n relay.Notice, ok bool, err error) {
	unread, total, err := r.o.Store.UnreadThreads(ctx, m.ID, since, until, maxDigest)
	if err != nil || len(unread) == 0 {
		return n, false, err
	}
	c := r.control(m.ID)
	d := digestView{Look: r.lookFor(m, c), Name: m.DisplayName()}
	for _, u := range unread {
		t, err := r.digestThread(ctx, m, u, d.says)
		if errors.Is(err, store.ErrNotFound) { // expunged meanwhile
			total--
			continue
		} else if err != nil {
			return n, false, err
		}
		d.Threads = append(d.Threads, t)
		n.Others = append(n.Others, t.others...)
	}
	if len(d.Threads) == 0 {
		return n, false, nil
	}
	d.More = max(0, total-len(d.Threads))
	d.Count = len(d.Threads) + d.More
	first := d.Threads[0]
	d.Preview = shorten(first.With+": "+first.Excerpt, maxPreview)
	if bare {
		d.Threads, d.More, d.Preview = nil, 0, ""
	}
	n.To, n.From, n.Excerpts, n.Fields = m, c.local(), true, r.digestFields(c)
	d.Title = d.says.Say("digest.title", "n", d.Count)
	n.Subject = d.Title
	if d.Count == 1 && first.whole && !bare {
		// A reply takes its subject from here, and the other reads that.
		d.Single, d.Title, n.Subject, n.ReplyTo = true, d.says.Say("digest.title_one", "name", first.With), first.Subject, first.Alias
	}
	if n.Text, err = r.o.Templates.execute("digest.txt", d); err == nil {
		n.Text = strings.TrimRight(n.Text, "\n") + "\n"
		n.HTML, err = r.o.Templates.execute("digest.html", d)
	}
	if err != nil {
		return n, false, fmt.Errorf("write the digest: %w", err)
	}
	return n, true, nil
}

func (r *Renderer) digestThread(ctx context.Context, m threading.Member, u store.UnreadThread, says *language.Language) (DigestThread, error) {
	t := DigestThread{Messages: u.Messages}
	item, err := r.o.Store.Item(ctx, m.ID, u.Newest)
	if err != nil {
		return t, err
	}
	v, err := r.o.Store.Thread(ctx, u.ThreadID)
	if err != nil {
		return t, err
	}
	var names []string
	for _, p := range v.Participants {
		if p.ID != m.ID {
			names, t.others = append(names, p.DisplayName()), append(t.others, p)
		}
	}
	t.With, _ = typed(strings.Join(names, ", "))
	t.About = v.Production.Title
	if v.Role.ID != 0 {
		t.About = says.Say("about", "role", v.Role.Title, "production", v.Production.Title)
	}
	t.About, _ = typed(t.About)
	t.Subject, t.whole = typed(v.Thread.Subject)
	if t.With == "" {
		t.With = m.DisplayName()
		if v.Thread.StartedBy == threading.Platform {
			t.With = r.o.Brand
		}
	}
	protected, err := r.o.Store.RequiresTLS(ctx, u.ThreadID)
	if err != nil {
		return t, err
	}
	if protected { // a digest goes to servers that prove nothing
		t.Subject, t.Excerpt, t.whole = says.Say("digest.protected_subject"), says.Say("digest.protected"), false
	} else if t.Excerpt, err = r.excerpt(ctx, item); err != nil {
		return t, err
	}
	from, _ := mimetree.Field(item.Header, "From")
	if a, err := mail.ParseAddress(strings.TrimSpace(from)); err == nil {
		t.Alias, t.Reply = a.Address, "mailto:"+a.Address
		if t.whole { // RFC 6068 section 2: percent-encoded, spaces too
			t.Reply += "?subject=" + url.PathEscape("Re: "+t.Subject)
		}
	}
	return t, nil
}

// excerpt is the beginning of what an item's writer wrote.
func (r *Renderer) excerpt(ctx context.Context, item threading.Item) (string, error) {
	b, err := r.o.Store.OpenBody(ctx, item.BodyID, 0, min(item.BodySize, peekBody))
	if err != nil {
		return "", fmt.Errorf("read a message for the digest: %w", err)
	}
	body, err := io.ReadAll(io.LimitReader(b, peekBody))
	_ = b.Close()
	if err != nil {
		return "", fmt.Errorf("read a message for the digest: %w", err)
	}
	text, err := sanitize.NewText(bytes.NewReader(append(bytes.Clone(item.Header), body...)))
	if err != nil {
		return "", fmt.Errorf("read a message for the digest: %w", err)
	}
	text, _ = typed(text)
	return shorten(text, maxExcerpt), nil
}

// shorten cuts s at a word, to at most n octets.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	if i := strings.LastIndexByte(s[:n], ' '); i >= n/2 {
		n = i
	}
	return strings.TrimRight(s[:n], " ,;:") + " …"
}
