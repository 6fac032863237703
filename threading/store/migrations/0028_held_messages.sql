-- A message that is held for the operator, or was dropped by them: its writer
-- alone knows of it.
ALTER TABLE messages ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
UPDATE messages SET held = 1 WHERE id IN (SELECT message_id FROM held_copies);
