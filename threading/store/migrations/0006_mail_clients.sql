-- What mail clients ask for beyond the messages.

-- A row of the queue belongs to whoever took it last: zero, or that lease.
ALTER TABLE queue ADD COLUMN lease BIGINT NOT NULL DEFAULT 0;

-- The octets that a member's entries take up (RFC 9208 section 5.1).
ALTER TABLE member_state ADD COLUMN octets BIGINT NOT NULL DEFAULT 0;
UPDATE member_state SET octets = (SELECT COALESCE(SUM(header_size + body_size), 0) FROM entries e WHERE e.member_id = member_state.member_id);

-- The member's mailbox of all conversations; 0: none.
ALTER TABLE member_state ADD COLUMN all_id BIGINT NOT NULL DEFAULT 0;

-- When a message came into its mailbox (RFC 8514); saved_at is its date.
ALTER TABLE entries ADD COLUMN placed_at BIGINT NOT NULL DEFAULT 0;
UPDATE entries SET placed_at = saved_at;

-- The first words of a body (RFC 8970); NULL: not made yet.
ALTER TABLE bodies ADD COLUMN preview TEXT;

-- What a client notes on a mailbox, or on the account (mailbox 0): RFC 5464.
CREATE TABLE annotations (
  member_id  BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  name       TEXT NOT NULL,          -- in lower case
  value      BLOB NOT NULL,
  PRIMARY KEY (member_id, mailbox_id, name)
) WITHOUT ROWID;

-- The index of a mailbox: blocks of messages in the order of their UIDs. What
-- came after the last block is read as it is (see index.go). keys is what is
-- sorted by; slices has a row for each group of a signature's bits, and in it,
-- for each bit, which messages have it.
CREATE TABLE index_blocks (
  member_id  BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  first_uid  BIGINT NOT NULL,
  last_uid   BIGINT NOT NULL,
  messages   INTEGER NOT NULL,
  bits       INTEGER NOT NULL,       -- of a signature
  uids       BLOB NOT NULL,
  keys       BLOB NOT NULL,          -- zstd
  PRIMARY KEY (member_id, mailbox_id, first_uid)
) WITHOUT ROWID;

CREATE TABLE index_slices (
  member_id  BIGINT NOT NULL,
  mailbox_id BIGINT NOT NULL,
  first_uid  BIGINT NOT NULL,
  slice      INTEGER NOT NULL,
  data       BLOB NOT NULL,
  PRIMARY KEY (member_id, mailbox_id, first_uid, slice)
) WITHOUT ROWID;
