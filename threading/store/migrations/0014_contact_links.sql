-- Links of the platform by which a form was sent: each is good for one form.
CREATE TABLE contact_links (
  hash       BLOB PRIMARY KEY,       -- of the link
  form       BLOB NOT NULL,          -- which form took it
  expires_at BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX contact_links_expires ON contact_links (expires_at);
