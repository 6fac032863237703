package store

import (
	"context"
	"fmt"

	"github.com/stagedoor/stagedoor/threading"
)

// MemberThread is a thread as one member has it. Participants are the others
// only, Aliases those that the member writes to, and there is no Chain.
type MemberThread struct {
	threading.ThreadView
	Newest threading.ID     // the newest item that the member has of it
	Alerts threading.Alerts // of its own
}

// MemberThreads lists the threads of which a member has messages, the newest
// message first, at most limit; it goes on after the thread with that Newest;
// zero: from the start. It follows the member's own messages: what others
// write, blocked, moves nothing here. Its cost is that of the mailboxes.
func (s *Store) MemberThreads(ctx context.Context, member, after threading.ID, limit int) ([]MemberThread, error) {
	if after == 0 {
		after = 1<<63 - 1
	}
	var list []MemberThread
	err := s.rows(ctx, `SELECT x.newest, CASE WHEN EXISTS (SELECT 1 FROM mutes u WHERE u.member_id = ? AND u.thread_id = t.id) THEN 'never'
		ELSE COALESCE((SELECT a.alerts FROM thread_alerts a WHERE a.member_id = ? AND a.thread_id = t.id), '') END, `+threadColumns+`
		JOIN (SELECT thread_id, MAX(item_id) AS newest FROM entries WHERE member_id = ? GROUP BY thread_id) x ON x.thread_id = t.id
		WHERE x.newest < ? ORDER BY x.newest DESC LIMIT ?`, []any{member, member, member, after, limit}, func(r scanner) (err error) {
		var v MemberThread
		v.ThreadView, err = scanThread(r, &v.Newest, &v.Alerts)
		list = append(list, v)
		return err
	})
	for i := 0; i < len(list) && err == nil; i++ {
		v := &list[i]
		err = s.rows(ctx, "SELECT "+memberColumns+", a.id FROM aliases a JOIN members m ON m.id = a.other_id WHERE a.thread_id = ? AND a.viewer_id = ? ORDER BY m.id", []any{v.Thread.ID, member}, func(r scanner) error {
			a := threading.Alias{ThreadID: v.Thread.ID, ViewerID: member}
			m, err := scanMember(r, &a.ID)
			a.OtherID = m.ID
			v.Participants, v.Aliases = append(v.Participants, m), append(v.Aliases, a)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list a member's threads: %w", err)
	}
	return list, nil
}
