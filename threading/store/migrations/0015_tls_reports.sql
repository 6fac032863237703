-- How connections to receiving servers went, by UTC day, for the reports of RFC
-- 8460; and for which domains a day's report was made.
CREATE TABLE tls_results (
  day    BIGINT NOT NULL,            -- its first moment
  domain BLOB NOT NULL,              -- keyed hash
  hash   BLOB NOT NULL,              -- keyed hash of the result
  sealed BLOB NOT NULL,              -- the result, which names the domain
  count  BIGINT NOT NULL,
  PRIMARY KEY (day, domain, hash)
) WITHOUT ROWID;

CREATE TABLE tls_reported (
  day    BIGINT NOT NULL,
  domain BLOB NOT NULL,
  PRIMARY KEY (day, domain)
) WITHOUT ROWID;

-- Sealed; of rows that go neither to a member nor to the operator.
ALTER TABLE queue ADD COLUMN recipient BLOB;
