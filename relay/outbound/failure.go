package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/stagedoor/stagedoor/relay/automatic"
)

// failure is why a delivery did not succeed. Its words are safe to store and
// log: they hold codes, never a remote server's text and never an address.
type failure struct {
	text      string
	permanent bool
	status    string // enhanced status code of a refusal (RFC 3463); may be empty
	// class is what a refusal means for the recipient's address.
	class automatic.Class
	// provider is whose host it was; see Providers. Empty: none was reached.
	provider string
	// host: the fault is the host's or the way's, not this message's: another
	// MX may do better, and other mail for the destination fares alike.
	host bool
	// elsewhere: the server has trouble of its own with this message (4.3.X, RFC
	// 3463 section 3.4): another MX may take it. Other mail may fare better.
	elsewhere bool
	// uncertain: the message was sent whole but no answer came. It must be
	// tried again (RFC 5321 section 4.5.4.1), later and not at the next MX:
	// the server may have it.
	uncertain bool
	// withheld: what its writer asked of its way can't be done.
	withheld bool
	// config: the operator must do something about it.
	config bool
}

func (f *failure) Error() string { return f.text }

// refusal is the failure that a reply stands for. stage says what was
// refused, in words.
func refusal(rep reply, stage string) *failure {
	f := &failure{text: fmt.Sprintf("%s: %s by the receiving server", rep, stage), permanent: rep.code >= 500, status: rep.enhanced,
		class: automatic.ClassOfReply(rep.code, rep.enhanced, strings.Join(rep.lines, " "))}
	// 421: the server closes the connection (RFC 5321 section 3.8).
	f.host = rep.code == 421
	f.elsewhere = strings.HasPrefix(rep.enhanced, "4.3.")
	// A full mailbox gets room again, whatever the code says: many servers say 552.
	f.permanent = f.permanent && f.class != automatic.Full
	return f
}

// hostFailure is a fault of the host or the way to it.
func hostFailure(err error, doing string) *failure {
	return &failure{text: doing + ": " + cause(err), host: true}
}

// cause puts an I/O error in words without the addresses that the net package
// puts there.
func cause(err error) string {
	var op *net.OpError
	var dns *net.DNSError
	switch {
	case errors.Is(err, errReply):
		return errReply.Error()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.Is(err, context.Canceled):
		return "stopped here"
	case errors.As(err, &dns):
		if dns.IsTimeout {
			return "the DNS resolver does not answer"
		}
		return "the DNS lookup failed"
	case errors.As(err, &op):
		var sys *os.SyscallError
		if errors.As(op.Err, &sys) {
			return sys.Err.Error()
		}
		return op.Op + " failed"
	}
	return "the connection was closed"
}
