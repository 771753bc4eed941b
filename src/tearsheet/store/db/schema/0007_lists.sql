-- Whole numbers in the order of amounts (`rows.sortable`), by which long lists are sorted. They are made with
-- the books, which the next look at the ledger makes anew, as it does where the rules of the books change.
ALTER TABLE position ADD COLUMN net_order INTEGER;
ALTER TABLE position ADD COLUMN quantity_order INTEGER;
ALTER TABLE position ADD COLUMN r_order INTEGER;
UPDATE meta SET value = 'by an older schema' WHERE key = 'fingerprint';

-- All that a list is filtered and sorted by, so that SQLite reads no rows for it; PostgreSQL reads them faster.
DROP INDEX position_closed;
CREATE INDEX position_closed ON position (closed_us, id, /* in SQLite */ account, symbol, strategy, mode, currency, side, quantity_order, held_us, r_order, net_order);
