-- What is known and gone: a log file, the log folder, records that a log file no longer has. `account` is ''
-- for every account of the trade log, and '*' for all. Windows that overlap the span are partial, until the
-- source is back or an operator decides. `kept_in` is the source that holds records which vanished.
CREATE TABLE doubt (
    source   TEXT    NOT NULL,
    account  TEXT    NOT NULL,
    code     TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    since_us INTEGER NOT NULL,
    until_us INTEGER NOT NULL,
    found_us INTEGER NOT NULL,
    kept_in  INTEGER NOT NULL,
    PRIMARY KEY (source, account, kept_in)
) STRICT, WITHOUT ROWID;
CREATE INDEX doubt_until ON doubt (until_us);

-- Sources that may be absent, because an operator said so.
CREATE TABLE absence (
    source TEXT    NOT NULL,
    at_us  INTEGER NOT NULL,
    who    TEXT    NOT NULL,
    PRIMARY KEY (source)
) STRICT, WITHOUT ROWID;
