-- Copies of messages that are filed for their writer and wait for the operator.
CREATE TABLE held_copies (
  id         INTEGER PRIMARY KEY,
  member_id  BIGINT NOT NULL,        -- who would get it
  writer_id  BIGINT NOT NULL,
  thread_id  BIGINT NOT NULL,
  message_id BIGINT NOT NULL,
  reason     TEXT NOT NULL,
  header     BLOB NOT NULL,
  body_id    BIGINT NOT NULL,
  body_size  BIGINT NOT NULL,
  notify     INTEGER NOT NULL,
  held_at    BIGINT NOT NULL
);
CREATE INDEX held_copies_message ON held_copies (message_id);
CREATE INDEX held_copies_member ON held_copies (member_id);
CREATE INDEX held_copies_writer ON held_copies (writer_id);
CREATE INDEX held_copies_body ON held_copies (body_id);
