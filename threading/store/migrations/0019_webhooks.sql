-- Where the platform is told of events.
CREATE TABLE webhooks (
  id         INTEGER PRIMARY KEY,
  url        TEXT NOT NULL,
  events     INTEGER NOT NULL,       -- bits
  secret     BLOB NOT NULL,          -- sealed
  created_at BIGINT NOT NULL
);

-- What each is still to be told. Of a lane, which is a thread or a member, only
-- the first row is due: the others have due_at 0 and follow one by one.
CREATE TABLE webhook_events (
  webhook_id  BIGINT NOT NULL,
  id          BIGINT NOT NULL,
  lane        BIGINT NOT NULL,
  kind        INTEGER NOT NULL,
  member_id   BIGINT NOT NULL,
  other_id    BIGINT NOT NULL,
  thread_id   BIGINT NOT NULL,
  ref_id      BIGINT NOT NULL,
  detail      TEXT NOT NULL,
  attempts    INTEGER NOT NULL,
  created_at  BIGINT NOT NULL,
  due_at      BIGINT NOT NULL,
  lease       BIGINT NOT NULL,
  dead_at     BIGINT NOT NULL,       -- 0: not given up
  last_error  TEXT NOT NULL,
  PRIMARY KEY (webhook_id, id)
) WITHOUT ROWID;
CREATE INDEX webhook_events_due ON webhook_events (webhook_id, due_at);
CREATE INDEX webhook_events_lane ON webhook_events (webhook_id, lane, id);
CREATE INDEX webhook_events_dead ON webhook_events (dead_at) WHERE dead_at > 0;
