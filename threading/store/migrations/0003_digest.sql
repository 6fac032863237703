-- When a member's next daily digest is due (0: none), what it counts from, and
-- when the last one was made.
ALTER TABLE members ADD COLUMN digest_due BIGINT NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN digest_since BIGINT NOT NULL DEFAULT 0;
ALTER TABLE members ADD COLUMN digest_last BIGINT NOT NULL DEFAULT 0;
CREATE INDEX members_digest ON members (digest_due) WHERE digest_due > 0;

-- Who chose the daily digest before there was one.
UPDATE members SET digest_due = 1, digest_since = 1 WHERE alerts = 'daily' AND handle IS NOT NULL;
