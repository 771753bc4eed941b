-- The comparison of an import with what its file states of results, and what of it contradicts the books.
ALTER TABLE batch ADD COLUMN tie_out TEXT;
ALTER TABLE batch ADD COLUMN contradictions TEXT;
CREATE INDEX batch_contradictions ON batch (source_id) WHERE contradictions IS NOT NULL;
