-- The last known price of an instrument.
CREATE TABLE mark (
    symbol  TEXT    NOT NULL,
    price   TEXT    NOT NULL,
    time_us INTEGER NOT NULL,
    PRIMARY KEY (symbol)
) STRICT, WITHOUT ROWID;

-- What was answered to a request with an idempotency key, in the transaction of what it changed.
CREATE TABLE receipt (
    key     TEXT    NOT NULL,
    request TEXT    NOT NULL,
    answer  TEXT    NOT NULL,
    at_us   INTEGER NOT NULL,
    PRIMARY KEY (key)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipt_at ON receipt (at_us);

CREATE INDEX fill_account ON fill (account, time_us);

-- Pages of a list go on after the last row's instant and id.
DROP INDEX position_closed;
DROP INDEX position_account;
DROP INDEX alert_raised;
CREATE INDEX position_closed ON position (closed_us, id);
CREATE INDEX position_account ON position (account, closed_us, id);
CREATE INDEX alert_raised ON alert (raised_us, id);
