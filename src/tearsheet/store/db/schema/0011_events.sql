-- What changes a position or an account without a trade stands beside the fills, in one order with them: a
-- row with an `event`, its signed money `amount` and `terms` (JSON). `position_side` is long or short where an account
-- holds both at once. Such streams are booked together by `fill_event`.
ALTER TABLE fill ADD COLUMN event TEXT;
ALTER TABLE fill ADD COLUMN amount TEXT;
ALTER TABLE fill ADD COLUMN position_side TEXT;
ALTER TABLE fill ADD COLUMN terms TEXT;
CREATE INDEX fill_event ON fill (account, symbol, time_us) WHERE event IS NOT NULL OR position_side IS NOT NULL;
ALTER TABLE variant ADD COLUMN event TEXT;
ALTER TABLE variant ADD COLUMN amount TEXT;
ALTER TABLE variant ADD COLUMN position_side TEXT;
ALTER TABLE variant ADD COLUMN terms TEXT;
-- What holding paid or cost, NULL for nothing; the kind of event that a booking comes from.
ALTER TABLE booking ADD COLUMN carry TEXT;
ALTER TABLE booking ADD COLUMN event TEXT;
ALTER TABLE position ADD COLUMN carry TEXT;
ALTER TABLE position ADD COLUMN position_side TEXT;
ALTER TABLE batch ADD COLUMN events INTEGER NOT NULL DEFAULT 0;
