-- When a member last let mail go again to an address that it had come back
-- from: reports that it does are not believed for a time then.
ALTER TABLE addresses ADD COLUMN works_at BIGINT NOT NULL DEFAULT 0;
