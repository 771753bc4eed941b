-- A fill that the broker marks as closing opens nothing; a position says by what event it ended.
ALTER TABLE fill ADD COLUMN closes INTEGER;
ALTER TABLE variant ADD COLUMN closes INTEGER;
ALTER TABLE position ADD COLUMN closed_by TEXT;
-- Events that link two instruments or accounts, which are booked together.
CREATE INDEX fill_link ON fill (account, symbol) WHERE event IN ('rename', 'merger', 'spin_off', 'transfer_out');
-- What the books of an instrument lack, made with them: a closing fill that closes nothing, an unknown cost.
CREATE TABLE gap (
    account  TEXT    NOT NULL,
    symbol   TEXT    NOT NULL,
    time_us  INTEGER NOT NULL,
    rank     INTEGER NOT NULL,
    fill_key TEXT    NOT NULL,
    code     TEXT    NOT NULL,
    detail   TEXT    NOT NULL
) STRICT;
CREATE INDEX gap_stream ON gap (account, symbol, time_us);
CREATE INDEX gap_time ON gap (time_us);
