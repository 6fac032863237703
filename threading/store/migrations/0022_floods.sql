-- Who asked for a link to sign in, so that nobody uses up another's.
ALTER TABLE signin_links ADD COLUMN requester BLOB NOT NULL DEFAULT x''; -- keyed hash; empty: the member, signed in

-- Whether an event told of a member's report: what is withdrawn and made again
-- is none.
ALTER TABLE reports ADD COLUMN told INTEGER NOT NULL DEFAULT 0;
UPDATE reports SET told = 1 WHERE via <> 'text';
