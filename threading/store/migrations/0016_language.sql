-- The language in which a member is written to; empty: the installation's.
ALTER TABLE members ADD COLUMN language TEXT NOT NULL DEFAULT '';
