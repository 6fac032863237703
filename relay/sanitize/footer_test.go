package sanitize

import "testing"

// TestFooters: what the relay said to its reader goes, whole; what a member
// wrote about the relay stays.
func TestFooters(t *testing.T) {
	id := jane
	id.Brand = "Backstage"
	rw := &rewriter{o: Options{Identity: id}, id: compile(&id)}
	for name, c := range map[string]struct{ in, want string }{
		"quoted": {
			"Yes.\n\nOn 31.08.2026, Sam wrote:\n> Coming?\n> \n> -- \n> Backstage\n> To answer Sam, just reply.\n> All messages are in your\n> mailbox: https://msg.example.com/m\n> Help: https://help.example.net\n> \n> after\n",
			"Yes.\n\nOn 31.08.2026, Sam wrote:\n> Coming?\n> \n> \n> after\n"},
		"unmarked, between two rounds": {
			"Yes.\n\nFrom: Sam\nSent: Monday\nTo: Jane\n\nComing?\n-- \nBackstage\nMailbox: https://msg.example.com\nFrom: Jane\nTo: Sam\n\nold\n",
			"Yes.\n\nFrom: Sam\nSent: Monday\nTo: Jane\n\nComing?\nFrom: Jane\nTo: Sam\n\nold\n"},
		"separator lost": {
			"Yes.\n\nFrom: Sam\nSent: Monday\nTo: Jane\n\nComing?\n\n*Backstage*\nTo answer Sam, just reply.\nMailbox: https://msg.example.com\n\nold\n",
			"Yes.\n\nFrom: Sam\nSent: Monday\nTo: Jane\n\nComing?\n\n\nold\n"},
		"the brand in a sentence": {
			"Yes.\n> I love\n> Backstage\n> and you?\n", "Yes.\n> I love\n> Backstage\n> and you?\n"},
		"a caution, folded": {
			"Yes.\n\nOn 31.08.2026, Sam wrote:\n> [!] Backstage: somebody asks\n> for money. https://help.example.net\n> \n> Coming?\n", "Yes.\n\nOn 31.08.2026, Sam wrote:\n> \n> Coming?\n"},
		"a caution, not marked as quoted": {
			"Yes.\n\nFrom: Sam\nSent: Monday\nTo: Jane\n\n[!] Backstage: somebody asks\nfor money.\n\nComing?\n", "Yes.\n\nFrom: Sam\nSent: Monday\nTo: Jane\n\n\nComing?\n"},
		"a writer's own exclamation": {
			"[!] Backstage: be there at ten.\n\n> [!] Bring shoes\n", "[!] Backstage: be there at ten.\n\n> [!] Bring shoes\n"},
		"own signature": {
			"See you.\n-- \nJane, on Backstage since 2020\nhttps://example.org\n\nOn 31.08.2026, Sam wrote:\n> x\n",
			"See you.\n-- \nJane, on Backstage since 2020\nhttps://example.org\n\nOn 31.08.2026, Sam wrote:\n> x\n"},
		"quoted, not marked as such": {
			"Yes.\nComing?\n-- \nBackstage\nTo answer Sam, just reply.\n", "Yes.\nComing?\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := rw.plainText(c.in, false); err != nil || got != c.want {
				t.Errorf("is %q\nwant %q\n%v", got, c.want, err)
			}
		})
	}
	for name, c := range map[string]struct{ in, want string }{
		"class kept":            {`<p>Yes</p><blockquote>Coming?<div class="x_sd-footer"><p><b>Backstage</b><br>reply</p></div></blockquote>`, `<p>Yes</p><blockquote>Coming?</blockquote>`},
		"class lost":            {`<p>Yes</p><blockquote>Coming?<p><b>Backstage</b><br>To answer Sam, just reply.<br>Mailbox: <a href="https://msg.example.com">https://msg.example.com</a></p>old</blockquote>`, `<p>Yes</p><blockquote>Coming?<p><b></b><br><br><a href="https://msg.example.com"></a></p>old</blockquote>`},
		"not a footer":          {`<blockquote><p><b>Backstage</b><br>is a place</p></blockquote>`, `<blockquote><p><b>Backstage</b><br>is a place</p></blockquote>`},
		"a caution":             {`<p>Yes</p><blockquote><div class="gmail-sd-caution"><p>[!] Backstage: x</p></div>Coming?</blockquote>`, `<p>Yes</p><blockquote>Coming?</blockquote>`},
		"a caution, class lost": {`<p>Yes</p><blockquote><div><p>[!] Backstage: x <a href="https://help.example.net">y</a></p></div>Coming?</blockquote>`, `<p>Yes</p><blockquote><div><p><a href="https://help.example.net"></a></p></div>Coming?</blockquote>`},
		"own signature":         {`<p>Yes</p>-- <br>Jane on Backstage`, `<p>Yes</p>-- <br>Jane on Backstage`},
	} {
		t.Run("html, "+name, func(t *testing.T) {
			if got, err := rw.htmlText(c.in, opening{}, false); err != nil || got != c.want {
				t.Errorf("is %s\nwant %s\n%v", got, c.want, err)
			}
		})
	}
}
