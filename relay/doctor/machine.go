package doctor

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// What there must be room for. A message is spooled, filed and indexed, and
// SQLite wants to write its WAL.
const (
	littleRoom = 1 << 30   // octets
	noRoom     = 200 << 20 // octets
	noInodes   = 1000
)

// disks looks at the room in the directories, once for each file system.
func (d *doctor) disks(context.Context) []Finding {
	var findings []Finding
	seen := map[syscall.Fsid]bool{}
	for _, dir := range d.Dirs {
		var fs syscall.Statfs_t
		if err := syscall.Statfs(dir, &fs); err != nil {
			findings = append(findings, Finding{"disk", Failed, dir + ": " + err.Error(), "make the directory, or start the daemon, which does"})
			continue
		}
		if seen[fs.Fsid] {
			continue
		}
		seen[fs.Fsid] = true
		findings = append(findings, room(dir, fs.Bavail*uint64(fs.Bsize), fs.Files, fs.Ffree))
	}
	return findings
}

// room judges what is free. Some file systems count no inodes.
func room(dir string, free, inodes, freeInodes uint64) Finding {
	f := Finding{"disk", OK, fmt.Sprintf("%.1f GB free in %s", float64(free)/(1<<30), dir), ""}
	const todo = "make room: mail is refused for the time being when there is none"
	switch {
	case free < noRoom:
		f.State, f.Todo = Failed, todo
	case inodes > 0 && freeInodes < noInodes:
		f.State, f.Text, f.Todo = Failed, fmt.Sprintf("room for %d more files in %s", freeInodes, dir), todo
	case free < littleRoom:
		f.State, f.Todo = Warning, todo
	}
	return f
}

// Ages at which what waits tells of trouble.
const (
	queueOverdue = 15 * time.Minute // nobody takes what is due: a lease lasts as long
	queueOld     = 24 * time.Hour
	heldOld      = 24 * time.Hour // its writer thinks that it is sent
)

// queue looks at what waits for delivery.
func (d *doctor) queue(ctx context.Context) []Finding {
	const check = "queue"
	if d.Queue == nil {
		return nil
	}
	q, err := d.Queue(ctx)
	if err != nil {
		return one(check, Failed, "can't be read: "+err.Error(), "look at the database's file and its owner")
	}
	age, overdue := d.Now().Sub(q.Oldest), d.Now().Sub(q.Due)
	const list = "stagedoor queue list shows why each waits"
	switch {
	case d.Paused:
		return one(check, Warning, fmt.Sprintf("nothing is sent: outbound.pause is set; %d wait", q.Rows), "set it to false and reload the daemon when mail may go")
	case q.Rows == 0:
		return one(check, OK, "empty", "")
	case overdue > queueOverdue:
		return one(check, Failed, fmt.Sprintf("%d wait and nobody delivers: the next was due %s ago", q.Rows, rough(overdue)), "start the daemon; if it runs, look into its log")
	case age > queueOld:
		return one(check, Warning, fmt.Sprintf("%d wait, the oldest for %s: %s", q.Rows, rough(age), or(q.OldestError, "not tried yet")), list)
	}
	return one(check, OK, fmt.Sprintf("%d wait, the oldest for %s", q.Rows, rough(age)), "")
}

// held looks at what waits for the operator's word.
func (d *doctor) held(ctx context.Context) []Finding {
	const check = "held messages"
	if d.Held == nil {
		return nil
	}
	h, err := d.Held(ctx)
	switch age := d.Now().Sub(h.Oldest); {
	case err != nil:
		return one(check, Failed, "can't be read: "+err.Error(), "look at the database's file and its owner")
	case h.Messages == 0:
		return nil
	case age > heldOld:
		return one(check, Warning, fmt.Sprintf("%d wait for you, the oldest for %s", h.Messages, rough(age)), "read them: stagedoor held list")
	default:
		return one(check, OK, fmt.Sprintf("%d wait for you, the oldest for %s (stagedoor held list)", h.Messages, rough(age)), "")
	}
}

// rough is a duration as people say it.
func rough(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
