-- What a message's writer asked of its way (RFC 8689): required, optional, or
-- nothing.
ALTER TABLE messages ADD COLUMN tls TEXT NOT NULL DEFAULT '';
ALTER TABLE queue ADD COLUMN tls TEXT NOT NULL DEFAULT '';
