package threading

import "time"

// ReportStatus is what has become of a report.
type ReportStatus string

// The states of a report.
const (
	ReportOpen      ReportStatus = "open"
	ReportWithdrawn ReportStatus = "withdrawn" // the reporter took the message out of Junk again
	ReportResolved  ReportStatus = "resolved"
)

// ReportVia is how a member reported.
type ReportVia string

// The ways to report.
const (
	ReportJunk ReportVia = "junk" // moved it to Junk in a mail client
	ReportPage ReportVia = "page" // by a notification's link
	ReportMail ReportVia = "mail" // forwarded it to report@
	ReportText ReportVia = "text" // nobody did: the relay noticed the same text sent very often
)

// MaxReason bounds what a reporter says, and what the operator resolves with,
// in octets of UTF-8.
const MaxReason = 2000

// Report is a message that a member reported to the operator.
type Report struct {
	ID         ID // the reporter's item
	ReporterID ID // whose item it is
	OtherID    ID // who wrote it
	ThreadID   ID
	Via        ReportVia
	Reason     string
	Status     ReportStatus
	Resolution string
	CreatedAt  time.Time
	ResolvedAt time.Time // zero: not yet
}

// By is who reported it; zero: nobody did.
func (r Report) By() ID {
	if r.Via == ReportText {
		return 0
	}
	return r.ReporterID
}
