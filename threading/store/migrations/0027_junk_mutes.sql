-- Which mutes moving to Junk made: only those end when the message comes out.
ALTER TABLE mutes ADD COLUMN junk INTEGER NOT NULL DEFAULT 0;
UPDATE mutes SET junk = 1 WHERE EXISTS (
  SELECT 1 FROM reports r WHERE r.reporter_id = mutes.member_id AND r.thread_id = mutes.thread_id AND r.via = 'junk' AND r.status = 'open'
);
