-- Events that state money.
CREATE INDEX fill_money ON fill (time_us, id) WHERE amount IS NOT NULL;
-- Imports with rows that changed nothing, which few have.
CREATE INDEX batch_skipped ON batch (source_id) WHERE skipped <> '{}';
