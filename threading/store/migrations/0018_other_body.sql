-- The body that those get of a message who are warned of it; 0: all have the one.
ALTER TABLE messages ADD COLUMN other_body_id BIGINT NOT NULL DEFAULT 0;
