package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor/stagedoor/config"
	"github.com/stagedoor/stagedoor/threading"
	"github.com/stagedoor/stagedoor/threading/seal"
)

// blockedStage is a daemon with Tess, who blocks Sam and not Otto. What the two
// write to her differs in one word.
type blockedStage struct {
	t    *testing.T
	d    *daemon
	base string
	net  *internet

	mu    sync.Mutex
	hooks []string // what the platform was told
}

// The words by which messages are told from each other.
const (
	wordOfBlocked = "Zebrafinch"
	wordOfOther   = "Kingfisher"
	wordOfLater   = "Nightjar"
)

func newBlockedStage(t *testing.T) *blockedStage {
	t.Helper()
	s := &blockedStage{t: t}
	var err error
	if s.net, err = startInternet(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.net.stop)
	s.d, s.base = apiDaemon(t, func(c *config.Config) {
		c.Outbound.Smarthost, c.IMAP.AllMailbox, c.Notify.Grace = "smtp://"+s.net.addr, true, 0
		c.Webhooks.AllowNetworks = []string{"127.0.0.0/8"}
	})
	for _, handle := range []string{"tess", "sam", "otto"} {
		m, err := s.d.open.AddMember(t.Context(), threading.Member{Handle: handle, Name: strings.ToUpper(handle[:1]) + handle[1:]}, []string{realOf(handle)})
		if err == nil {
			err = s.d.open.setPassword(t.Context(), m, "correct horse")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	platform := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hooks = append(s.hooks, string(body))
	}))
	t.Cleanup(platform.Close)
	s.api("POST", "/webhooks", fmt.Sprintf(`{"url": %q, "events": ["message.filed"]}`, platform.URL), http.StatusCreated)
	return s
}

func realOf(handle string) string { return handle + "@" + handle + "-mail.example" }

func (s *blockedStage) member(handle string) threading.Member {
	s.t.Helper()
	m, err := s.d.open.MemberByHandle(s.t.Context(), handle)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// aliasOf is the alias by which viewer writes to other in the newest thread of
// the two.
func (s *blockedStage) aliasOf(viewer, other string) threading.Alias {
	s.t.Helper()
	views, err := s.d.open.Store.Threads(s.t.Context(), threading.Thread{}, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, v := range views {
		for _, a := range v.Aliases {
			if a.ViewerID == s.member(viewer).ID && a.OtherID == s.member(other).ID {
				return a
			}
		}
	}
	s.t.Fatalf("%s has no alias for %s", viewer, other)
	return threading.Alias{}
}

func (s *blockedStage) api(method, path, body string, want int) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+apiToken)
	req.Header.Set("Content-Type", "application/json")
	return s.do(http.DefaultClient, req, want)
}

func (s *blockedStage) do(c *http.Client, req *http.Request, want int) string {
	s.t.Helper()
	res, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != want {
		s.t.Fatalf("%s %s: %d, %v\n%s", req.Method, req.URL, res.StatusCode, err, body)
	}
	return string(body)
}

// browser is signed in as a member.
func (s *blockedStage) browser(handle string) *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	s.post(c, "/signin", url.Values{"name": {handle}, "password": {"correct horse"}})
	return c
}

func (s *blockedStage) post(c *http.Client, path string, form url.Values) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(c, req, http.StatusOK)
}

// block is what Tess does on the page that a notification links to.
func (s *blockedStage) block(action string) {
	s.t.Helper()
	link := "/block/" + s.d.open.keys.Token(seal.TokenBlock, s.aliasOf("tess", "sam").ID)
	s.post(http.DefaultClient, link, url.Values{"action": {action}})
}

// converse says the lines, each once the answer to the one before is there, and
// returns the answers.
func converse(t *testing.T, address string, lines ...string) (answers []string) {
	t.Helper()
	k := dial(t, address)
	defer k.Close()
	for i := -1; i < len(lines); i++ {
		if i >= 0 {
			k.say(lines[i])
		}
		for more := true; more; {
			line, err := k.r.ReadString('\n')
			if err != nil || len(line) < 4 {
				t.Fatalf("%q: %q, %v", lines[max(i, 0)], line, err)
			}
			answers, more = append(answers, line), line[3] == '-'
		}
	}
	return answers
}

func letter(from, to, word, n string) string {
	return "From: " + from + "\r\nTo: " + to + "\r\nSubject: " + word + " " + n + "\r\nMessage-ID: <" + word + n + "@mail.example>\r\n\r\nHello, it is about " + word + ".\r\n."
}

// byMX writes from a regular mailbox, bySubmission from a mail client.
func (s *blockedStage) byMX(handle, to, word, n string) []string {
	real := realOf(handle)
	return converse(s.t, s.d.bound.smtp[0], "EHLO client.example", "MAIL FROM:<"+real+">", "RCPT TO:<"+to+">", "DATA", letter(real, to, word, n), "QUIT")
}

func (s *blockedStage) bySubmission(handle, to, word, n string) []string {
	own := handle + "@" + s.d.cfg.Domain
	auth := base64.StdEncoding.EncodeToString([]byte("\x00" + handle + "\x00correct horse"))
	return converse(s.t, s.d.bound.submission[0], "EHLO client.example", "AUTH PLAIN "+auth, "MAIL FROM:<"+own+">", "RCPT TO:<"+to+">", "DATA", letter(own, to, word, n), "QUIT")
}

// byForm writes by the contact form, with a file.
func (s *blockedStage) byForm(handle, word string) []string {
	s.t.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	_ = m.WriteField("subject", word+" form")
	_ = m.WriteField("text", "Hello, it is about "+word+".")
	part, err := m.CreateFormFile("files", word+".txt")
	if err == nil {
		_, err = io.WriteString(part, word)
	}
	if err == nil {
		err = m.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+"/contact/tess", &body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", m.FormDataContentType())
	return []string{s.do(s.browser(handle), req, http.StatusCreated)}
}

// allWays writes to Tess in every way, and returns what the writer is answered.
func (s *blockedStage) allWays(handle, alias, word string) (answers []string) {
	s.t.Helper()
	contact := "tess@" + s.d.cfg.Domain
	answers = append(answers, s.byMX(handle, contact, word, "1")...)
	answers = append(answers, s.byMX(handle, alias, word, "2")...)
	answers = append(answers, s.bySubmission(handle, contact, word, "3")...)
	answers = append(answers, s.bySubmission(handle, alias, word, "4")...)
	answers = append(answers, s.byMX(handle, alias, word, "2")...) // a retry
	answers = append(answers, s.byForm(handle, word)...)
	for i, a := range answers { // what the writer gave is said back
		answers[i] = strings.NewReplacer(alias, "ALIAS", realOf(handle), "REAL", handle+"@", "HANDLE@").Replace(a)
	}
	return answers
}

const waysToWrite = 5 // messages of allWays

// imap says the commands as a member, and returns all that the server says.
func (s *blockedStage) imap(handle string, commands ...string) string {
	s.t.Helper()
	k := dial(s.t, s.d.bound.imap[0])
	defer k.Close()
	var heard strings.Builder
	for i, command := range append([]string{"LOGIN " + handle + ` "correct horse"`}, commands...) {
		tag := fmt.Sprintf("t%d ", i)
		k.say(tag + command)
		for {
			line, err := k.r.ReadString('\n')
			if err != nil {
				s.t.Fatalf("%s: %v\n%s", command, err, heard.String())
			}
			heard.WriteString(line)
			if rest, ok := strings.CutPrefix(line, tag); ok {
				if !strings.HasPrefix(rest, "OK") {
					s.t.Fatalf("%s: %s", command, line)
				}
				break
			}
		}
	}
	return heard.String()
}

// seenByTess is all that Tess can see of her conversations, by where.
func (s *blockedStage) seenByTess() map[string]string {
	s.t.Helper()
	views := map[string]string{
		"IMAP": s.imap("tess", `LIST "" "*" RETURN (STATUS (MESSAGES UNSEEN UIDNEXT SIZE))`,
			"SELECT INBOX", "UID FETCH 1:* (ENVELOPE BODYSTRUCTURE PREVIEW BODY.PEEK[])", "UID SORT (SUBJECT) UTF-8 ALL", "UID THREAD REFERENCES UTF-8 ALL",
			"SELECT All", "UID FETCH 1:* (ENVELOPE BODYSTRUCTURE PREVIEW BODY.PEEK[])"),
		"conversations": s.get(s.browser("tess"), "/account/conversations"),
		"the export":    s.export(),
	}
	s.net.mu.Lock()
	for _, m := range s.net.mail[realOf("tess")] {
		views["mail"] += string(m.Raw)
	}
	s.net.mu.Unlock()
	return views
}

func (s *blockedStage) get(c *http.Client, path string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do(c, req, http.StatusOK)
}

func (s *blockedStage) export() string {
	s.t.Helper()
	archive := s.post(s.browser("tess"), "/account/export", nil)
	z, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
	if err != nil {
		s.t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range z.File {
		r, err := f.Open()
		if err == nil {
			_, err = io.Copy(&all, r)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return all.String()
}

// waitForMail waits until Tess has been mailed n messages with a word in the
// subject.
func (s *blockedStage) waitForMail(word string, n int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for i := 0; n > 0; i++ {
		m, err := s.net.wait(ctx, realOf("tess"), i)
		if err != nil {
			s.t.Fatalf("mail about %s: %v", word, err)
		}
		if strings.Contains(field(m.Raw, "Subject"), word) {
			n--
		}
	}
}

// told is how often the platform was told that Tess got something of that member.
func (s *blockedStage) told(from string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.hooks {
		if strings.Contains(h, `"member":"tess","from":"`+from+`"`) {
			n++
		}
	}
	return n
}

// check looks for what the blocked one wrote, and for what the other wrote, in
// all that Tess can see.
func (s *blockedStage) check(when string) {
	s.t.Helper()
	if threads := s.api("GET", "/threads?member=tess", "", http.StatusOK); strings.Count(threads, `"started_by":"sam"`) != 1 || !strings.Contains(threads, `"started_by":"otto"`) {
		s.t.Errorf("%s: the API lists %s", when, threads)
	}
	for where, shown := range s.seenByTess() {
		if strings.Contains(shown, wordOfBlocked) {
			s.t.Errorf("%s: %s shows what the blocked one wrote:\n%s", when, where, shown)
		}
		if !strings.Contains(shown, wordOfOther) {
			s.t.Errorf("%s: %s does not show what the other wrote: the check is blind\n%s", when, where, shown)
		}
	}
	for _, search := range []string{"UID SEARCH RETURN (COUNT) TEXT %[1]s", "UID SEARCH RETURN (COUNT) SUBJECT %[1]s", "UID SEARCH RETURN (COUNT) BODY %[1]s", "ESEARCH IN (mailboxes INBOX) RETURN (COUNT) OR TEXT %[1]s SUBJECT %[1]s"} {
		for word, want := range map[string]int{wordOfBlocked: 0, wordOfOther: waysToWrite} {
			got := s.imap("tess", "SELECT INBOX", fmt.Sprintf(search, word))
			found := strings.Contains(got, fmt.Sprint(" COUNT ", want, "\r\n"))
			if strings.HasPrefix(search, "ESEARCH") && want == 0 {
				found = !strings.Contains(got, "COUNT") // nothing is said of mailboxes without (RFC 7377 section 2.1)
			}
			if !found {
				s.t.Errorf("%s: %s finds something else than %d:\n%s", when, fmt.Sprintf(search, word), want, got)
			}
		}
	}
}

// counts checks how many messages Tess has, wherever that is counted.
func (s *blockedStage) counts(when string, want int) {
	s.t.Helper()
	got := s.imap("tess", "STATUS INBOX (MESSAGES UNSEEN UIDNEXT)", "STATUS All (MESSAGES)", "SELECT INBOX", "UID THREAD ORDEREDSUBJECT UTF-8 ALL", "UID SORT RETURN (COUNT) (ARRIVAL) UTF-8 ALL")
	for _, line := range []string{fmt.Sprintf("* STATUS INBOX (MESSAGES %d UIDNEXT %d UNSEEN %d)", want, want+1, want), fmt.Sprintf("* STATUS All (MESSAGES %d)", want), fmt.Sprintf("* %d EXISTS", want), fmt.Sprintf("COUNT %d", want)} {
		if !strings.Contains(strings.ReplaceAll(got, `"`, ""), line+"\r\n") {
			s.t.Errorf("%s: there is no %q in\n%s", when, line, got)
		}
	}
	_, thread, _ := strings.Cut(got, "* THREAD ")
	thread, _, _ = strings.Cut(thread, "\r\n")
	if n := len(strings.FieldsFunc(thread, func(r rune) bool { return r < '0' || r > '9' })); n != want {
		s.t.Errorf("%s: THREAD has %d messages: %s", when, n, thread)
	}
}

// Who is blocked is answered like everybody else, in every way to write, finds
// it in Sent, and nothing of it is anywhere that the other sees, then or later.
func TestBlockedEverywhere(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a daemon with everything")
	}
	s := newBlockedStage(t)
	aliases := map[string]string{}
	for _, handle := range []string{"sam", "otto"} {
		s.byMX(handle, "tess@"+s.d.cfg.Domain, "Before", handle)
		aliases[handle] = threading.AliasPrefix + s.d.open.keys.Token(seal.TokenAlias, s.aliasOf(handle, "tess").ID) + "@" + s.d.cfg.Domain
	}
	s.waitForMail("Before", 2)
	idle := dial(t, s.d.bound.imap[0])
	_ = idle.SetDeadline(time.Now().Add(2 * time.Minute))
	idle.say(`a LOGIN tess "correct horse"`)
	idle.hear("a OK")
	idle.say("b SELECT INBOX")
	idle.hear("b OK")
	idle.say("c IDLE")
	idle.hear("+")

	s.block("block")
	blocked := s.allWays("sam", aliases["sam"], wordOfBlocked)
	other := s.allWays("otto", aliases["otto"], wordOfOther)
	if !slices.Equal(blocked, other) {
		t.Errorf("who is blocked hears\n%q\nothers hear\n%q", blocked, other)
	}
	s.waitForMail(wordOfOther, waysToWrite)
	idle.hear(fmt.Sprintf("* %d EXISTS", 2+waysToWrite)) // of the other's, and no more
	idle.say("DONE")
	idle.say("d NOOP")
	for line := ""; !strings.HasPrefix(line, "d OK"); {
		var err error
		if line, err = idle.r.ReadString('\n'); err != nil || strings.HasSuffix(line, " EXISTS\r\n") {
			t.Fatalf("IDLE ends with %q, %v", line, err)
		}
	}
	for deadline := time.Now().Add(time.Minute); s.told("otto") < 1+waysToWrite && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if n := s.told("otto"); n != 1+waysToWrite {
		t.Errorf("the platform was told %d times of the other's", n)
	}
	s.check("while blocked")
	s.counts("while blocked", 2+waysToWrite)
	if n := s.told("sam"); n != 1 {
		t.Errorf("the platform was told %d times of the blocked one's", n)
	}
	for handle, word := range map[string]string{"sam": wordOfBlocked, "otto": wordOfOther} {
		if got := s.imap(handle, "SELECT Sent", "UID SEARCH RETURN (COUNT) TEXT "+word); !strings.Contains(got, fmt.Sprint(" COUNT ", waysToWrite)) {
			t.Errorf("%s has not sent %d:\n%s", handle, waysToWrite, got)
		}
	}

	s.block("unblock")
	s.byMX("sam", aliases["sam"], wordOfLater, "1")
	s.waitForMail(wordOfLater, 1)
	s.check("later")
	s.counts("later", 3+waysToWrite)
	if got := s.imap("tess", "SELECT INBOX", "UID SEARCH RETURN (COUNT) SUBJECT "+wordOfLater); !strings.Contains(got, " COUNT 1") {
		t.Errorf("what was written later:\n%s", got)
	}
	if q, err := s.d.open.Queue(t.Context(), 100); err != nil || len(q) != 0 {
		t.Errorf("%d wait in the queue, %v", len(q), err)
	}
}
