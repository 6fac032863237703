package threading

import "time"

// Event is a kind of thing that the platform is told of. Its values are bits.
type Event int

// The events.
const (
	EventMessage Event = 1 << iota // a message was filed into a member's INBOX
	EventReport                    // a member reported a message
	EventBounce                    // mail to a member's address came back for good

	EventAll = EventMessage | EventReport | EventBounce
)

// eventNames are what the platform calls events.
var eventNames = []struct {
	event Event
	name  string
}{{EventMessage, "message.filed"}, {EventReport, "report.made"}, {EventBounce, "address.failed"}}

// Names lists the names of the events in a set.
func (e Event) Names() []string {
	names := []string{}
	for _, n := range eventNames {
		if e&n.event != 0 {
			names = append(names, n.name)
		}
	}
	return names
}

// ParseEvent returns the event of that name.
func ParseEvent(name string) (Event, bool) {
	for _, n := range eventNames {
		if n.name == name {
			return n.event, true
		}
	}
	return 0, false
}

// Webhook is where the platform wants to be told of events.
type Webhook struct {
	ID        ID
	URL       string
	Events    Event  // a set
	Secret    []byte // signs what is sent there; sealed in the store
	CreatedAt time.Time
}

// WebhookEvent is an event on its way to one webhook.
type WebhookEvent struct {
	WebhookID ID
	ID        ID // the same for all webhooks
	Kind      Event
	MemberID  ID // whom it is about: the reader, the reporter, whose address it is
	OtherID   ID // the writer; Platform for a note
	ThreadID  ID
	RefID     ID     // message, report or address
	Detail    string // how the member is told of the message; how it was reported; why mail came back
	Attempts  int
	CreatedAt time.Time
	DueAt     time.Time // zero: it waits for an earlier one of its thread, or is dead
	DeadAt    time.Time // when it was given up; zero: it was not
	LastError string
	Lease     ID
}
