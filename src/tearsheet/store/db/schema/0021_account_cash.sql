-- Money that came to an account or, below 0, left it, beside the result of trading; NULL for nothing.
ALTER TABLE booking ADD COLUMN cash TEXT;
CREATE INDEX booking_cash ON booking (time_us) WHERE cash IS NOT NULL;
DROP INDEX fill_cash;
-- Ledgers that hold such money are booked again, once: their fingerprint is of no version. All others stay as they are.
UPDATE meta SET value = '-' || value WHERE key = 'fingerprint' AND EXISTS (
    SELECT 1 FROM fill WHERE event IN (
        'credit_interest', 'margin_interest', 'data_fee', 'account_fee', 'withholding_tax', 'deposit', 'withdrawal', 'payout', 'transfer',
        'adjustment', 'credit', 'conversion', 'conversion_fee', 'transfer_in', 'transfer_out'
    )
);
