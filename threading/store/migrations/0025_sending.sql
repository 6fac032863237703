-- Since when the queue has been sent without a longer break, whichever process
-- does it, and when that was last noted. One row.
CREATE TABLE sending (
  id    INTEGER PRIMARY KEY,  -- 1
  since BIGINT NOT NULL,
  seen  BIGINT NOT NULL
);
