// Package tlsrpt tells receiving domains how TLS to their servers went (RFC
// 8460): it counts connections by policy and result, and once a day makes a
// report for each domain that has published where it wants one.
//
// # What it promises
//
// Counts are added up in the store, where they outlive a restart and those of
// several nodes meet; what a process counted in its last seconds is lost if it
// is killed. A domain gets one report for a day of UTC, whatever crashes and
// however many nodes there are: the report is made and queued in one
// transaction. It says nothing of messages and recipients: servers, policies
// and numbers only.
//
// # Who owns what
//
// Recorder.Run's goroutine writes the counts, Reporter.Run's makes the
// reports; the queue's workers send them. Both end with their context.
package tlsrpt

// Policy is which policy held for a connection, as reports say it (RFC 8460
// section 4.4).
type Policy struct {
	Type   string   `json:"policy-type"` // tlsa, sts or no-policy-found
	String []string `json:"policy-string,omitempty"`
	Domain string   `json:"policy-domain"`
	MXHost []string `json:"mx-host,omitempty"`
}

// maxPolicy bounds the text of a policy that a result holds, in octets. Policies
// are a tenth of that; a domain's owner may make one of 64 KB, and each result
// holds it.
const maxPolicy = 4 << 10

// bounded is a policy without the lines and hosts that are too many.
func (p Policy) bounded() Policy {
	room := maxPolicy - len(p.Domain)
	for _, list := range []*[]string{&p.String, &p.MXHost} {
		for i, s := range *list {
			if room -= len(s); room < 0 {
				*list = (*list)[:i:i]
				break
			}
		}
	}
	return p
}

// Failure is what was wrong with a connection (RFC 8460 section 4.3).
type Failure struct {
	Type        string `json:"result-type"`
	SendingIP   string `json:"sending-mta-ip,omitempty"`
	ReceivingMX string `json:"receiving-mx-hostname,omitempty"`
	ReceivingIP string `json:"receiving-ip,omitempty"`
}

// Result is how one connection went.
type Result struct {
	Policy  Policy   `json:"policy"`
	Failure *Failure `json:"failure,omitempty"` // nil: as the policy wants it
}
