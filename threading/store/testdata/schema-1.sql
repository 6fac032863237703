-- The first schema. Times are milliseconds since 1970 (UTC). IDs are made by
-- the node (threading.ID). Tables that grow lead their key with the member or
-- the thread, and are kept in the order of that key: a commit writes whole
-- pages, and a second tree for the key would double them.

CREATE TABLE members (
  id         INTEGER PRIMARY KEY,
  handle     TEXT UNIQUE,            -- NULL once removed
  name       TEXT NOT NULL,
  status     TEXT NOT NULL,
  alerts     TEXT NOT NULL,
  digest_at  TEXT NOT NULL,
  timezone   TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- One mod-sequence counter for all of a member's mailboxes.
CREATE TABLE member_state (
  member_id INTEGER PRIMARY KEY,
  modseq    BIGINT NOT NULL
);

CREATE TABLE addresses (
  id          INTEGER PRIMARY KEY,
  member_id   BIGINT NOT NULL,
  hash        BLOB NOT NULL UNIQUE,  -- keyed hash of the canonical form
  sealed      BLOB NOT NULL,
  is_primary  INTEGER NOT NULL,
  verified_at BIGINT NOT NULL,
  created_at  BIGINT NOT NULL
);
CREATE INDEX addresses_member ON addresses (member_id);

CREATE TABLE credentials (
  id           INTEGER PRIMARY KEY,
  member_id    BIGINT NOT NULL,
  kind         TEXT NOT NULL,
  label        TEXT NOT NULL,
  verifier     TEXT NOT NULL,
  created_at   BIGINT NOT NULL,
  last_used_at BIGINT NOT NULL,
  UNIQUE (member_id, kind, label)
);

CREATE TABLE productions (
  id         INTEGER PRIMARY KEY,
  slug       TEXT NOT NULL UNIQUE,
  title      TEXT NOT NULL,
  owner_id   BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE roles (
  id            INTEGER PRIMARY KEY,
  production_id BIGINT NOT NULL,
  slug          TEXT NOT NULL,
  title         TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  UNIQUE (production_id, slug)
);

CREATE TABLE threads (
  id            INTEGER PRIMARY KEY,
  subject       TEXT NOT NULL,
  production_id BIGINT NOT NULL,
  role_id       BIGINT NOT NULL,
  started_by    BIGINT NOT NULL,
  status        TEXT NOT NULL,
  created_at    BIGINT NOT NULL,
  last_at       BIGINT NOT NULL
);
CREATE INDEX threads_last ON threads (last_at);

CREATE TABLE participants (
  thread_id BIGINT NOT NULL,
  member_id BIGINT NOT NULL,
  PRIMARY KEY (thread_id, member_id)
) WITHOUT ROWID;
CREATE INDEX participants_member ON participants (member_id);

CREATE TABLE aliases (
  id        INTEGER PRIMARY KEY,
  thread_id BIGINT NOT NULL,
  viewer_id BIGINT NOT NULL,
  other_id  BIGINT NOT NULL,
  UNIQUE (thread_id, viewer_id, other_id)
);

CREATE TABLE messages (
  thread_id BIGINT NOT NULL,
  id        BIGINT NOT NULL,
  writer_id BIGINT NOT NULL,
  body_id   BIGINT NOT NULL,
  foreign_id BLOB,                   -- sealed; NULL: none
  filed_at  BIGINT NOT NULL,
  PRIMARY KEY (thread_id, id)
) WITHOUT ROWID;
CREATE INDEX messages_id ON messages (id);

CREATE TABLE bodies (
  id        INTEGER PRIMARY KEY,
  size      BIGINT NOT NULL,
  structure BLOB NOT NULL,
  signature BLOB NOT NULL,
  text      BLOB NOT NULL            -- zstd
);

CREATE TABLE body_chunks (
  body_id BIGINT NOT NULL,
  seq     INTEGER NOT NULL,
  size    INTEGER NOT NULL,          -- octets before compression
  data    BLOB NOT NULL,             -- zstd
  PRIMARY KEY (body_id, seq)
) WITHOUT ROWID;

CREATE TABLE items (
  member_id  BIGINT NOT NULL,
  id         BIGINT NOT NULL,
  thread_id  BIGINT NOT NULL,
  message_id BIGINT NOT NULL,
  body_id    BIGINT NOT NULL,
  body_size  BIGINT NOT NULL,
  header     BLOB NOT NULL,
  PRIMARY KEY (member_id, id)
) WITHOUT ROWID;
CREATE INDEX items_body ON items (body_id);

CREATE TABLE mailboxes (
  member_id   BIGINT NOT NULL,
  id          BIGINT NOT NULL,
  name        TEXT NOT NULL,
  special_use TEXT NOT NULL,
  uidvalidity BIGINT NOT NULL,
  uidnext     BIGINT NOT NULL,
  subscribed  INTEGER NOT NULL,
  -- Tombstones below this mod-sequence may be missing.
  expunged_from BIGINT NOT NULL,
  PRIMARY KEY (member_id, id),
  UNIQUE (member_id, name)
) WITHOUT ROWID;

CREATE TABLE entries (
  member_id   BIGINT NOT NULL,
  mailbox_id  BIGINT NOT NULL,
  uid         BIGINT NOT NULL,
  item_id     BIGINT NOT NULL,
  thread_id   BIGINT NOT NULL,
  body_id     BIGINT NOT NULL,
  header_size BIGINT NOT NULL,
  body_size   BIGINT NOT NULL,
  flags       INTEGER NOT NULL,
  keywords    TEXT NOT NULL,
  modseq      BIGINT NOT NULL,
  saved_at    BIGINT NOT NULL,
  PRIMARY KEY (member_id, mailbox_id, uid)
) WITHOUT ROWID;
CREATE INDEX entries_modseq ON entries (member_id, mailbox_id, modseq);
CREATE INDEX entries_item ON entries (member_id, item_id);

CREATE TABLE tombstones (
  member_id  BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  uid        BIGINT NOT NULL,
  modseq     BIGINT NOT NULL,
  PRIMARY KEY (member_id, mailbox_id, uid)
) WITHOUT ROWID;
CREATE INDEX tombstones_modseq ON tombstones (member_id, mailbox_id, modseq);

-- Which copy in Sent a client's own Message-ID stands for.
CREATE TABLE client_ids (
  member_id  BIGINT NOT NULL,
  hash       BLOB NOT NULL,
  mailbox_id BIGINT NOT NULL,
  uid        BIGINT NOT NULL,
  submitted  INTEGER NOT NULL,       -- 0: the client appended it
  noted_at   BIGINT NOT NULL,
  PRIMARY KEY (member_id, hash)
) WITHOUT ROWID;
CREATE INDEX client_ids_noted ON client_ids (noted_at);

CREATE TABLE dedupe (
  hash       BLOB PRIMARY KEY,
  thread_id  BIGINT NOT NULL,
  message_id BIGINT NOT NULL,
  filed_at   BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX dedupe_filed ON dedupe (filed_at);

CREATE TABLE queue (
  id          INTEGER PRIMARY KEY,
  kind        TEXT NOT NULL,
  member_id   BIGINT NOT NULL,
  item_id     BIGINT NOT NULL,
  thread_id   BIGINT NOT NULL,
  header      BLOB,
  body_id     BIGINT NOT NULL,
  attempts    INTEGER NOT NULL,
  created_at  BIGINT NOT NULL,
  due_at      BIGINT NOT NULL,
  leased_till BIGINT NOT NULL,
  last_error  TEXT NOT NULL
);
CREATE INDEX queue_due ON queue (due_at);
CREATE INDEX queue_member ON queue (member_id);

CREATE TABLE held (
  id        INTEGER PRIMARY KEY,
  member_id BIGINT NOT NULL,
  hash      BLOB NOT NULL UNIQUE,
  recipient TEXT NOT NULL,
  reason    TEXT NOT NULL,
  raw       BLOB NOT NULL,           -- sealed
  held_at   BIGINT NOT NULL
);

CREATE TABLE records (
  id      INTEGER PRIMARY KEY,
  kind    TEXT NOT NULL,
  ref     BIGINT NOT NULL,
  note    TEXT NOT NULL,
  at      BIGINT NOT NULL
);

-- What another process on the same database changed (see feed.go).
CREATE TABLE feed (
  seq       INTEGER PRIMARY KEY,
  member_id BIGINT NOT NULL          -- zero: the queue
);
