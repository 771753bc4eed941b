-- The result after fees that a broker states for a closing fill, NULL where it states none.
ALTER TABLE fill ADD COLUMN reported TEXT;
ALTER TABLE variant ADD COLUMN reported TEXT;
