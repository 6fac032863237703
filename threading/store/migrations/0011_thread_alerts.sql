-- How a member is told of one thread, where that is not as of all (a thread that
-- is never told is muted). Empty: as of all again. What has an ID below from_id
-- was told before, in another way.
CREATE TABLE thread_alerts (
  member_id BIGINT NOT NULL,
  thread_id BIGINT NOT NULL,
  alerts    TEXT NOT NULL,           -- immediate, daily or empty
  from_id   BIGINT NOT NULL,
  PRIMARY KEY (member_id, thread_id)
) WITHOUT ROWID;

-- The same of the member's own setting.
ALTER TABLE members ADD COLUMN alerts_from BIGINT NOT NULL DEFAULT 0;

-- A setting that a mail client changed left the plan of the digests behind: some
-- get none, some are planned for nobody.
UPDATE members SET digest_due = 0 WHERE alerts <> 'daily';
UPDATE members SET digest_due = 1 WHERE alerts = 'daily' AND digest_due = 0 AND handle IS NOT NULL;
