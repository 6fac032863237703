package threading

import "time"

// ThreadStatus says whether a thread still takes messages.
type ThreadStatus string

// The states of a thread.
const (
	ThreadOpen   ThreadStatus = "open"
	ThreadClosed ThreadStatus = "closed" // replies are refused with a sentence that says so
)

// Platform stands, where a member would, for the platform itself: it writes
// notes, and takes part in no thread.
const Platform ID = 0

// Thread is one conversation.
type Thread struct {
	ID           ID
	Subject      string // of the first message, without Re:
	ProductionID ID     // zero: about no production
	RoleID       ID     // zero: about no role
	StartedBy    ID     // Platform: it is a note
	Status       ThreadStatus
	CreatedAt    time.Time
	LastAt       time.Time // when the newest message was filed
}

// Alias is a reply alias: shown to Viewer as the address of Other within one
// thread. Only Viewer may write to it.
type Alias struct {
	ID       ID
	ThreadID ID
	ViewerID ID
	OtherID  ID
}

// ThreadView is a thread with all that is needed to write into it.
type ThreadView struct {
	Thread       Thread
	Production   Production // zero when the thread is about none
	Role         Role
	Participants []Member // including former members, by ID
	Aliases      []Alias
	Chain        []ChainLink // the first message and the last ones, oldest first; at most ChainLen
}

// ChainLen bounds how many messages of a thread References names: the first
// and the most recent ones. RFC 5322 section 3.6.4 asks for the whole chain
// but permits trimming; RFC 1036 section 2.2.5 advises to keep the first.
const ChainLen = 20

// ChainLink is a message of the thread as References needs it.
type ChainLink struct {
	MessageID ID
	WriterID  ID
	// ForeignID is the Message-ID that the writer's own mail system gave the
	// message, without angle brackets; empty if there was none. It may be
	// shown to its writer only.
	ForeignID string
	// Held: the operator has not released it, so only its writer knows of it.
	Held bool
}

// KnownTo reports whether a participant may be shown that there is the message.
func (c *ChainLink) KnownTo(member ID) bool { return !c.Held || c.WriterID == member }

// Participant returns the participant with that ID.
func (v *ThreadView) Participant(id ID) (Member, bool) {
	for _, m := range v.Participants {
		if m.ID == id {
			return m, true
		}
	}
	return Member{}, false
}

// AliasFor returns the alias under which viewer sees other.
func (v *ThreadView) AliasFor(viewer, other ID) (Alias, bool) {
	for _, a := range v.Aliases {
		if a.ViewerID == viewer && a.OtherID == other {
			return a, true
		}
	}
	return Alias{}, false
}

// About says in words what the thread is about: "Ophelia in Hamlet",
// "Hamlet", or nothing.
func (v *ThreadView) About() string {
	switch {
	case v.Role.ID != 0:
		return v.Role.Title + " in " + v.Production.Title
	case v.Production.ID != 0:
		return v.Production.Title
	}
	return ""
}
