package wire

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// many is how many messages are many: 2,000, or what STAGEDOOR_MESSAGES says.
func many(t *testing.T) int {
	t.Helper()
	text := os.Getenv("STAGEDOOR_MESSAGES")
	if text == "" {
		return 2000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("STAGEDOOR_MESSAGES: %v", err)
	}
	return n
}

// reply counts the lines of a command's answer, and their octets.
func (h *house) reply(p *peer, command string) (lines, octets int) {
	h.Helper()
	if _, err := p.Write([]byte("a " + command + "\r\n")); err != nil {
		h.Fatal(err)
	}
	for {
		line, err := p.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "a NO") || strings.HasPrefix(line, "a BAD") {
			h.Fatalf("%s: %q %v", command, line, err)
		}
		lines, octets = lines+1, octets+len(line)
		if strings.HasPrefix(line, "a OK") {
			return lines, octets
		}
	}
}

// What is done to all of a mailbox is answered in as many lines for 2,000
// messages as for 20: one, for MOVE with COPYUID and VANISHED three, for EXPUNGE
// with VANISHED two. (A client without QRESYNC must hear of each message that is
// gone: RFC 9051 section 7.5.1.) What the database does for it is in
// threading/store, TestChangesOfManyTakeFewStatements.
func TestChangesOfManyAreAnsweredInFewLines(t *testing.T) {
	for _, size := range []int{20, many(t)} {
		h := newHouse(t)
		h.deliver("INBOX", "Subject: one of many\n\ntext\n")
		plain, modern := h.signIn("INBOX"), h.dial()
		for _, p := range []*peer{plain, modern} {
			_ = p.SetDeadline(time.Now().Add(5 * time.Minute))
		}
		h.say(modern, "a LOGIN tess secret-1", "a OK")
		h.say(modern, "a ENABLE QRESYNC", "a OK")
		for have := 1; have < size; have = h.messages("INBOX") {
			h.say(plain, fmt.Sprintf("a COPY 1:%d INBOX", min(have, size-have)), "a OK")
		}
		h.say(plain, "a NOOP", "a OK")
		for _, c := range []struct {
			p       *peer
			command string
			lines   int // 0: not counted
		}{
			{plain, `STORE 1:* +FLAGS.SILENT (\Seen)`, 1},
			{plain, `STORE 1:* +FLAGS.SILENT ($Label1)`, 1},
			{plain, `STORE 1:* FLAGS.SILENT (\Deleted)`, 1},
			{plain, `UID COPY 1:* Archives`, 1},
			{modern, `SELECT INBOX`, 0},
			{modern, `UID MOVE 1:* Trash`, 3},
			{modern, `SELECT Archives`, 0},
			{modern, `UID EXPUNGE 1:*`, 2},
		} {
			began := time.Now()
			lines, octets := h.reply(c.p, c.command)
			t.Logf("%s of %d messages: %d lines, %d octets, %v", c.command, size, lines, octets, time.Since(began).Round(time.Millisecond))
			if c.lines != 0 && (lines != c.lines || octets > 200*c.lines) {
				t.Errorf("%s of %d messages is answered in %d lines of %d octets, not %d", c.command, size, lines, octets, c.lines)
			}
		}
		if left, moved := h.messages("INBOX")+h.messages("Archives"), h.messages("Trash"); left != 0 || moved != size {
			t.Errorf("%d are left, %d in Trash", left, moved)
		}
	}
}
