package dns

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// STSPolicy is what the HTTP door serves at
// https://mta-sts.DOMAIN/.well-known/mta-sts.txt (RFC 8461 section 3.2).
type STSPolicy struct {
	Mode   string // enforce, testing or none
	MX     string // the one host that mail comes to
	MaxAge time.Duration
}

// Text is the policy's text.
func (p STSPolicy) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: STSv1\r\nmode: %s\r\n", p.Mode)
	if p.Mode != "none" { // section 8.3: what a policy that is withdrawn says
		fmt.Fprintf(&b, "mx: %s\r\n", p.MX)
	}
	fmt.Fprintf(&b, "max_age: %d\r\n", int(p.MaxAge.Seconds()))
	return b.String()
}

// ID changes whenever the text does, and only then: up to 32 letters and
// digits (section 3.1).
func (p STSPolicy) ID() string {
	sum := sha256.Sum256([]byte(p.Text()))
	return hex.EncodeToString(sum[:10])
}
