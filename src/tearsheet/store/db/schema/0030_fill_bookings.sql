-- The booking of a fill that large imports and rebuilds make holds only what the fill does not say: the number of the position's
-- id, and quantity, price, gross and fees where they are not the fill's own (signed) quantity and price, 0 and its commission.
-- A position's are found by its span among the fills of its instrument.
CREATE TABLE fill_booking (
    fill_id  INTEGER NOT NULL,
    part     INTEGER NOT NULL,
    position INTEGER NOT NULL,
    quantity TEXT,
    price    TEXT,
    gross    TEXT,
    fees     TEXT,
    closes   INTEGER NOT NULL,
    PRIMARY KEY (fill_id, part)
) STRICT, WITHOUT ROWID;
CREATE VIEW booked_fill AS
SELECT b.fill_id, b.position, printf('%016x', b.position) AS position_id, f.account, f.symbol, f.currency, f.time_us, f.rank, f.key AS fill_key, b.part,
    COALESCE(b.quantity, CASE f.side WHEN 'SELL' THEN '-' || f.quantity ELSE f.quantity END) AS quantity, COALESCE(b.price, f.price) AS price,
    COALESCE(b.gross, '0') AS gross, COALESCE(b.fees, f.commission) AS fees, b.closes,
    CAST(NULL AS TEXT) AS carry, CAST(NULL AS TEXT) AS event, CAST(NULL AS TEXT) AS cash
FROM fill_booking b JOIN fill f ON f.id = b.fill_id;
CREATE VIEW booked AS
SELECT position_id, account, symbol, currency, time_us, rank, fill_key, part, quantity, price, gross, fees, closes, carry, event, cash FROM booking
UNION ALL SELECT position_id, account, symbol, currency, time_us, rank, fill_key, part, quantity, price, gross, fees, closes, carry, event, cash FROM booked_fill;
-- Ledgers of statements alone are booked again, once: their fingerprint is of no version. All others stay as they are.
UPDATE meta SET value = '-' || value WHERE key = 'fingerprint' AND EXISTS (SELECT 1 FROM booking) AND NOT EXISTS (SELECT 1 FROM record)
AND NOT EXISTS (SELECT 1 FROM fill WHERE event IS NOT NULL OR position_side IS NOT NULL OR closes IS NOT NULL OR commission = '-0');
