-- The first UID of a mailbox that no client was told of as new (RFC 3501 section
-- 2.3.2: \Recent).
ALTER TABLE mailboxes ADD COLUMN recent_from BIGINT NOT NULL DEFAULT 1;
UPDATE mailboxes SET recent_from = uidnext;
