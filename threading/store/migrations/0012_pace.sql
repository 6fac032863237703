-- How much members write: in slots of ten minutes, kept for a day. kind 0 counts
-- members that a conversation was started with, 1 messages in conversations.
CREATE TABLE pace (
  member_id BIGINT NOT NULL,
  kind      INTEGER NOT NULL,
  slot      BIGINT NOT NULL,         -- ten minutes since 1970
  n         INTEGER NOT NULL,
  PRIMARY KEY (member_id, kind, slot)
) WITHOUT ROWID;
CREATE INDEX pace_slot ON pace (slot);

-- Whom a member has written to: the first contact of two members is over once
-- the one who was written to has answered.
CREATE TABLE correspondents (
  member_id BIGINT NOT NULL,         -- who wrote
  other_id  BIGINT NOT NULL,
  PRIMARY KEY (member_id, other_id)
) WITHOUT ROWID;
INSERT INTO correspondents (member_id, other_id)
  SELECT DISTINCT m.writer_id, p.member_id FROM messages m JOIN participants p ON p.thread_id = m.thread_id WHERE p.member_id <> m.writer_id;

-- What first messages a member takes: anyone, or own.
ALTER TABLE members ADD COLUMN first_contact TEXT NOT NULL DEFAULT 'anyone';

-- Conversations about a production end with it; 0: it is open.
ALTER TABLE productions ADD COLUMN closed_at BIGINT NOT NULL DEFAULT 0;

-- What a handle looks like (threading.Skeleton); '': the member was removed.
ALTER TABLE members ADD COLUMN skeleton TEXT NOT NULL DEFAULT '';
UPDATE members SET skeleton = REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(REPLACE(handle, '0', 'o'), '1', 'l'), 'i', 'l'), '5', 's'), 'rn', 'm'), 'vv', 'w') WHERE handle IS NOT NULL;
CREATE INDEX members_skeleton ON members (skeleton);
