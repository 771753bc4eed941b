-- The numbers of an import's file that the books had, too: an undo or a correction may change them.
ALTER TABLE batch ADD COLUMN agreed TEXT;
CREATE INDEX batch_agreed ON batch (source_id) WHERE agreed IS NOT NULL;
