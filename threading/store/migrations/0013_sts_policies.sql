-- MTA-STS policies of domains that mail goes to (RFC 8461).
CREATE TABLE sts_policies (
  hash       BLOB PRIMARY KEY,       -- keyed hash of the domain
  policy_id  TEXT NOT NULL,
  sealed     BLOB NOT NULL,
  fetched_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sts_policies_expires ON sts_policies (expires_at);
