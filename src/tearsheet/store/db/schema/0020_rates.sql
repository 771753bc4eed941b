-- Exchange rates as their source states them, digit for digit. A later import of the same pair and day corrects: it
-- counts while it is not undone, and both are kept.
CREATE TABLE rate (
    from_currency TEXT    NOT NULL,
    to_currency   TEXT    NOT NULL,
    day           TEXT    NOT NULL,
    source_id     INTEGER NOT NULL REFERENCES source (id),
    rate          TEXT    NOT NULL,
    origin        TEXT    NOT NULL,
    PRIMARY KEY (from_currency, to_currency, day, source_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX rate_source ON rate (source_id);
CREATE INDEX rate_day ON rate (day);
