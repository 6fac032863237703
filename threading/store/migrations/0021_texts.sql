-- To how many members somebody sent the same text first, by day. hash is a keyed
-- hash of the text, without what differs from reader to reader.
CREATE TABLE texts (
  hash      BLOB NOT NULL,
  writer_id BIGINT NOT NULL,
  day       BIGINT NOT NULL,         -- since 1970
  n         INTEGER NOT NULL,
  PRIMARY KEY (hash, writer_id, day)
) WITHOUT ROWID;
CREATE INDEX texts_day ON texts (day);
CREATE INDEX texts_writer ON texts (writer_id);
