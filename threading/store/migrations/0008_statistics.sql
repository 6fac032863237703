-- What SQLite's planner is to believe of the tables that grow: without figures
-- it takes a member for one with ten messages, and goes through all of theirs
-- where an index would name the one. A member has thousands of rows, a mailbox
-- hundreds, an item one entry, a body two items. Nobody runs ANALYZE here: the
-- plans stay the same on every installation.
ANALYZE sqlite_schema;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
  ('entries', 'entries', '1000000 2000 500 1'),
  ('entries', 'entries_modseq', '1000000 2000 500 1'),
  ('entries', 'entries_item', '1000000 2000 1'),
  ('items', 'items', '1000000 2000 1'),
  ('items', 'items_body', '1000000 2'),
  ('messages', 'messages', '500000 10 1'),
  ('messages', 'messages_id', '500000 1');
ANALYZE sqlite_schema;
