-- What the platform asked with an idempotency key, and what it was answered.
CREATE TABLE api_requests (
  key          BLOB PRIMARY KEY,     -- keyed hash
  request      BLOB NOT NULL,        -- keyed hash of method, path and body
  status       INTEGER NOT NULL,     -- 0: under way, until claimed_till
  answer       BLOB,                 -- sealed
  claimed_till BIGINT NOT NULL,
  created_at   BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX api_requests_created ON api_requests (created_at);
