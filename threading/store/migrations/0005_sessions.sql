CREATE INDEX productions_owner ON productions (owner_id);

-- Where members are signed in on the web.
CREATE TABLE sessions (
  hash       BLOB PRIMARY KEY,       -- keyed hash of the cookie
  id         BIGINT NOT NULL,        -- what pages call it
  member_id  BIGINT NOT NULL,
  agent      TEXT NOT NULL,          -- the browser, as it names itself
  created_at BIGINT NOT NULL,
  seen_at    BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_member ON sessions (member_id);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- Links that were mailed to sign in; each works once.
CREATE TABLE signin_links (
  id         INTEGER PRIMARY KEY,
  member_id  BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX signin_links_member ON signin_links (member_id);
