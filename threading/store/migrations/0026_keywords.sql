-- The keywords that a member's messages have or had, between spaces: a client
-- that was away still knows them.
ALTER TABLE member_state ADD COLUMN keywords TEXT NOT NULL DEFAULT '';
