-- A line of a log that is ahead of the clock: it is held, and counts from this instant on.
ALTER TABLE record ADD COLUMN held_us INTEGER;
CREATE INDEX record_held ON record (held_us) WHERE held_us IS NOT NULL;
