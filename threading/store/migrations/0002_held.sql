-- What is held is asked about: in which conversation it was sent, from where,
-- whether that address is proven, and until when it is kept.
ALTER TABLE held ADD COLUMN alias_id BIGINT NOT NULL DEFAULT 0;
ALTER TABLE held ADD COLUMN sender BLOB;                       -- sealed: the address in From; NULL: none
ALTER TABLE held ADD COLUMN proven INTEGER NOT NULL DEFAULT 0; -- the sender's domain vouches for it
ALTER TABLE held ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0; -- 0: never
CREATE INDEX held_member ON held (member_id);
CREATE INDEX held_expires ON held (expires_at);

-- Real addresses that wait until their owner opens the link mailed to them.
CREATE TABLE address_requests (
  id         INTEGER PRIMARY KEY,
  member_id  BIGINT NOT NULL,
  hash       BLOB NOT NULL,          -- keyed hash of the canonical form
  sealed     BLOB NOT NULL,
  expires_at BIGINT NOT NULL,
  UNIQUE (member_id, hash)
);
CREATE INDEX address_requests_expires ON address_requests (expires_at);
