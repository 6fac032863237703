-- An address that mail came back from: since when nothing is sent to it, and
-- why, without any word of the other side's.
ALTER TABLE addresses ADD COLUMN failed_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE addresses ADD COLUMN failure TEXT NOT NULL DEFAULT '';
