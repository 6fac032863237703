-- Subscriptions to mailboxes that were deleted: they stay until the member ends
-- them (RFC 9051 section 6.3.7).
CREATE TABLE subscriptions (
  member_id BIGINT NOT NULL,
  name      TEXT NOT NULL,
  PRIMARY KEY (member_id, name)
) WITHOUT ROWID;
