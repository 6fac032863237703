package relay

import (
	"fmt"
	"time"
)

// Refusal is an answer to a writer: an SMTP reply code, an enhanced status
// code (RFC 3463) and a sentence for a person. It names no address but what
// the writer gave in the same transaction.
type Refusal struct {
	Code     int
	Enhanced [3]int
	Text     string
	// RetryAfter is when a temporary refusal for doing too much is over.
	RetryAfter time.Duration
	Field      string // of a ContactForm that it is about; empty: none
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%d %d.%d.%d %s", r.Code, r.Enhanced[0], r.Enhanced[1], r.Enhanced[2], r.Text)
}

// Temporary reports whether the sender should try again.
func (r *Refusal) Temporary() bool { return r.Code/100 == 4 }

func refuse(code, class, subject, detail int, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Enhanced: [3]int{class, subject, detail}, Text: fmt.Sprintf(format, args...)}
}

// about says which field of a form a refusal is about.
func (r *Refusal) about(field string) *Refusal {
	r.Field = field
	return r
}

// The sentences that writers get. All that tell a writer no to a contact or
// role address on the MX are this one, so that the answer doesn't tell whether
// the address exists.
var (
	errNoSuchAddress = refuse(550, 5, 1, 1, "There is no such address here. Reply to a message you received, or write to a member's contact address.")
	errForeign       = refuse(550, 5, 7, 1, "This server only takes mail for its own members.")
	errNoOperator    = refuse(450, 4, 3, 5, "This address has nobody who reads it yet. Please try again later.")
	errAuthTemporary = refuse(451, 4, 7, 5, "We can't check right now that this message is really from you. Please try again later.")
	errNotMember     = refuse(550, 5, 7, 1, "Only members can write to this address, and only from the e-mail address they registered with.")
	errNotHolder     = refuse(550, 5, 7, 1, "This reply address belongs to somebody else, or you wrote from an address that is not registered with your account. Reply from the address at which you received the message.")
	errForged        = refuse(550, 5, 7, 26, "Your mail provider does not confirm that this message is really from you (SPF and DKIM did not pass for the address in From). Send it through your provider's own server.")
	errNoQuestion    = refuse(550, 5, 7, 1, "This question has been answered already, or its time is over.")
	errNotAsked      = refuse(550, 5, 7, 1, "Please answer from an address that is registered with your account, or on the page that the question links to.")
	errControl       = refuse(550, 5, 5, 3, "Please send your answer to this address alone, without other recipients.")
	errYesOrNo       = refuse(550, 5, 6, 0, "Please answer with the single word yes or no on the first line.")
	errClosed        = refuse(550, 5, 7, 1, "This conversation has been closed, so your message was not delivered.")
	errLeft          = refuse(550, 5, 1, 6, "The member you are writing to has left, so your message was not delivered.")
	errNoSuchMember  = refuse(550, 5, 1, 1, "There is no member with this contact address.")
	errNoSuchRole    = refuse(550, 5, 1, 1, "There is no such role or production.").about("about")
	errOwnRole       = refuse(550, 5, 1, 3, "This is a role of your own production: write to the member you want to reach instead.")
	errOutside       = refuse(550, 5, 7, 1, "You can only write to members here, at their contact address or by replying to their message. For other mail use your own mail account.")
	errFormSpent     = refuse(550, 5, 7, 1, "A message of this form has been sent already, so this one was not. Keep your text, go back to the profile and press Contact again.")
	errNoRecipient   = refuse(554, 5, 5, 1, "No valid recipient was given.")
)

// errLeak is what the writer hears whose message the gate stopped. part is a
// place in the message, never what was found there.
func errLeak(part string) error {
	return refuse(554, 5, 6, 0, "We could not make sure that this message keeps your e-mail address private: it may be left in %s. So it was not delivered. Please change or leave out that part and send it again.", part)
}
