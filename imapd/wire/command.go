package wire

import (
	"github.com/emersion/go-imap/v2"
)

// command is what the server can do.
type command struct {
	states int      // a bit for each imap.ConnState in which it is allowed
	needs  imap.Cap // the capability that it belongs to; empty: always there
	poll   polling
	run    func(*conn) (done, error)
}

// polling says what the client may be told before a command's tagged response:
// an expunge must not come while sequence numbers are on their way (RFC 9051
// section 7.5.1).
type polling int

const (
	pollNot polling = iota
	pollFlags
	pollAll
)

// The states in which commands are allowed.
const (
	stranger = 1 << imap.ConnStateNotAuthenticated
	chosen   = 1 << imap.ConnStateSelected
	member   = 1<<imap.ConnStateAuthenticated | chosen
	always   = stranger | member
)

// Capabilities that go-imap has no names for.
const (
	capCompress   imap.Cap = "COMPRESS=DEFLATE"
	capPartial    imap.Cap = "PARTIAL"
	capThread     imap.Cap = "THREAD="
	capThreadRefs imap.Cap = "THREAD=REFS"
	capQuotaRes   imap.Cap = "QUOTA=RES-STORAGE"
	capXList      imap.Cap = "XLIST"
	capSearchSave imap.Cap = "SEARCHRES"
)

// codeHighest stands for HIGHESTMODSEQ as it is after the poll.
const codeHighest = "HIGHESTMODSEQ"

// commands are all of them. The table is filled here and never changed: it
// refers to functions that look into it.
var commands map[string]*command

func init() {
	commands = map[string]*command{
		"CAPABILITY":   {always, "", pollNot, (*conn).capability},
		"NOOP":         {always, "", pollAll, (*conn).noop},
		"LOGOUT":       {always, "", pollNot, (*conn).logout},
		"ID":           {always, imap.CapID, pollNot, (*conn).id},
		"STARTTLS":     {stranger, imap.CapStartTLS, pollNot, (*conn).startTLS},
		"LOGIN":        {stranger, "", pollNot, (*conn).login},
		"AUTHENTICATE": {stranger, "", pollNot, (*conn).authenticate},

		"ENABLE":       {member, imap.CapEnable, pollNot, (*conn).enable},
		"SELECT":       {member, "", pollNot, func(c *conn) (done, error) { return c.selectMailbox(false) }},
		"EXAMINE":      {member, "", pollNot, func(c *conn) (done, error) { return c.selectMailbox(true) }},
		"CREATE":       {member, "", pollAll, (*conn).create},
		"DELETE":       {member, "", pollAll, (*conn).delete},
		"RENAME":       {member, "", pollAll, (*conn).rename},
		"SUBSCRIBE":    {member, "", pollAll, func(c *conn) (done, error) { return c.subscribe(true) }},
		"UNSUBSCRIBE":  {member, "", pollAll, func(c *conn) (done, error) { return c.subscribe(false) }},
		"LIST":         {member, "", pollAll, (*conn).list},
		"LSUB":         {member, "", pollAll, (*conn).lsub},
		"XLIST":        {member, capXList, pollAll, (*conn).xlist},
		"NAMESPACE":    {member, imap.CapNamespace, pollAll, (*conn).namespace},
		"STATUS":       {member, "", pollAll, (*conn).statusCommand},
		"APPEND":       {member, "", pollAll, (*conn).append},
		"IDLE":         {member, imap.CapIdle, pollAll, (*conn).idle},
		"NOTIFY":       {member, imap.CapNotify, pollAll, (*conn).notifyCommand},
		"GETQUOTA":     {member, imap.CapQuota, pollAll, (*conn).getQuota},
		"GETQUOTAROOT": {member, imap.CapQuota, pollAll, (*conn).getQuotaRoot},
		"GETMETADATA":  {member, imap.CapMetadata, pollAll, (*conn).getMetadata},
		"SETMETADATA":  {member, imap.CapMetadata, pollAll, (*conn).setMetadata},
		"COMPRESS":     {member, capCompress, pollNot, (*conn).compress},
		"ESEARCH":      {member, imap.CapMultiSearch, pollAll, (*conn).esearch},

		"CHECK":    {chosen, "", pollAll, (*conn).check},
		"CLOSE":    {chosen, "", pollNot, (*conn).closeMailbox},
		"UNSELECT": {chosen, imap.CapUnselect, pollNot, (*conn).unselect},
		"EXPUNGE":  {chosen, "", pollAll, (*conn).expunge},
		"SEARCH":   {chosen, "", pollFlags, func(c *conn) (done, error) { return c.search(false) }},
		"SORT":     {chosen, imap.CapSort, pollFlags, func(c *conn) (done, error) { return c.sort(false) }},
		"THREAD":   {chosen, capThread, pollFlags, func(c *conn) (done, error) { return c.thread(false) }},
		"FETCH":    {chosen, "", pollFlags, func(c *conn) (done, error) { return c.fetch(false) }},
		"STORE":    {chosen, "", pollFlags, func(c *conn) (done, error) { return c.store(false) }},
		"COPY":     {chosen, "", pollAll, func(c *conn) (done, error) { return c.copy(false) }},
		"MOVE":     {chosen, imap.CapMove, pollAll, func(c *conn) (done, error) { return c.move(false) }},
		"REPLACE":  {chosen, imap.CapReplace, pollAll, func(c *conn) (done, error) { return c.replace(false) }},

		"UID EXPUNGE": {chosen, imap.CapUIDPlus, pollAll, (*conn).uidExpunge},
		"UID SEARCH":  {chosen, "", pollAll, func(c *conn) (done, error) { return c.search(true) }},
		"UID SORT":    {chosen, imap.CapSort, pollAll, func(c *conn) (done, error) { return c.sort(true) }},
		"UID THREAD":  {chosen, capThread, pollAll, func(c *conn) (done, error) { return c.thread(true) }},
		"UID FETCH":   {chosen, "", pollAll, func(c *conn) (done, error) { return c.fetch(true) }},
		"UID STORE":   {chosen, "", pollAll, func(c *conn) (done, error) { return c.store(true) }},
		"UID COPY":    {chosen, "", pollAll, func(c *conn) (done, error) { return c.copy(true) }},
		"UID MOVE":    {chosen, imap.CapMove, pollAll, func(c *conn) (done, error) { return c.move(true) }},
		"UID REPLACE": {chosen, imap.CapReplace, pollAll, func(c *conn) (done, error) { return c.replace(true) }},
	}
}
