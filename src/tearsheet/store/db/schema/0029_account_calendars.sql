-- Sessions are those of each account's own calendar. Ledgers that keep such a calendar are booked again, once:
-- their fingerprint is of no version. All others stay as they are.
UPDATE meta SET value = '-' || value WHERE key = 'fingerprint' AND EXISTS (
    SELECT 1 FROM meta WHERE key = 'accounts' AND (value LIKE '%"timezone"%' OR value LIKE '%"day_starts_at"%')
);
