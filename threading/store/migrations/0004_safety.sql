-- What a blocked member writes goes nowhere its blocker sees.
CREATE TABLE blocks (
  member_id  BIGINT NOT NULL,        -- who blocks
  other_id   BIGINT NOT NULL,        -- who is blocked
  created_at BIGINT NOT NULL,
  PRIMARY KEY (member_id, other_id)
) WITHOUT ROWID;

-- Threads that a member is not told of by mail.
CREATE TABLE mutes (
  member_id  BIGINT NOT NULL,
  thread_id  BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (member_id, thread_id)
) WITHOUT ROWID;

-- Messages that members reported. The ID is that of the reporter's item.
CREATE TABLE reports (
  id          INTEGER PRIMARY KEY,
  reporter_id BIGINT NOT NULL,
  other_id    BIGINT NOT NULL,       -- who wrote it
  thread_id   BIGINT NOT NULL,
  via         TEXT NOT NULL,         -- junk, page, mail
  reason      TEXT NOT NULL,
  status      TEXT NOT NULL,         -- open, withdrawn, resolved
  resolution  TEXT NOT NULL,
  created_at  BIGINT NOT NULL,
  resolved_at BIGINT NOT NULL
);
CREATE INDEX reports_status ON reports (status, id);
CREATE INDEX reports_evidence ON reports (reporter_id, thread_id);

-- Who looked at what members trust the operator with.
CREATE TABLE audit (
  id      INTEGER PRIMARY KEY,
  actor   TEXT NOT NULL,             -- the operating system's user
  action  TEXT NOT NULL,
  subject TEXT NOT NULL              -- a handle or an ID, never an address
);
