-- Tallies say of what came in how much was converted and transferred. Ledgers with such money are booked again, once:
-- their fingerprint is of no version. All others stay as they are.
UPDATE meta SET value = '-' || value WHERE key = 'fingerprint' AND EXISTS (
    SELECT 1 FROM fill WHERE event IN ('conversion', 'transfer', 'transfer_in', 'transfer_out')
);
