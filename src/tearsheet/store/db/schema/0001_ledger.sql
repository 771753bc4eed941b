-- Facts (source, record, fill, sighting, rejection) are what was read; books (position, booking,
-- tally, log_stream) are made from them and can be rebuilt at any time.
-- Money, prices and quantities are canonical decimal TEXT, instants microseconds since 1970 (UTC).

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A file that was read. Logs are read on from `offset`; an import is known by its checksum.
CREATE TABLE source (
    id        INTEGER PRIMARY KEY,
    kind      TEXT    NOT NULL CHECK (kind IN ('log', 'import')),
    name      TEXT    NOT NULL,
    layout    TEXT    NOT NULL,
    day       TEXT,
    size      INTEGER NOT NULL,
    mtime_ns  INTEGER NOT NULL,
    inode     INTEGER NOT NULL,
    "offset"  INTEGER NOT NULL,
    lines     INTEGER NOT NULL,
    checksum  INTEGER NOT NULL,
    tail      TEXT    NOT NULL,
    complete  INTEGER NOT NULL,
    facts     INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    read_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX source_log ON source (name) WHERE kind = 'log';
CREATE INDEX source_day ON source (day) WHERE kind = 'log';
CREATE INDEX source_unfinished ON source (day) WHERE kind = 'log' AND complete = 0;
CREATE INDEX source_import ON source (checksum, size) WHERE kind = 'import';

-- A line of a trade log; its id is source × 2^32 + line. Lines with one key are versions of one
-- order, and `live` marks the valid one.
CREATE TABLE record (
    id      INTEGER PRIMARY KEY,
    key     TEXT    NOT NULL,
    account TEXT    NOT NULL,
    symbol  TEXT    NOT NULL,
    time_us INTEGER NOT NULL,
    closed  INTEGER NOT NULL,
    live    INTEGER NOT NULL,
    body    BLOB    NOT NULL
) STRICT;
CREATE INDEX record_key ON record (key);
CREATE INDEX record_open ON record (account, symbol, time_us) WHERE live = 1 AND closed = 0;

-- Which account and symbol of the log has results, and so whether its records are trades or fills.
CREATE TABLE log_stream (
    account        TEXT    NOT NULL,
    symbol         TEXT    NOT NULL,
    records        INTEGER NOT NULL,
    closed         INTEGER NOT NULL,
    as_fills       INTEGER NOT NULL,
    last_closed_us INTEGER,
    PRIMARY KEY (account, symbol)
) STRICT, WITHOUT ROWID;

CREATE TABLE fill (
    id         INTEGER PRIMARY KEY,
    account    TEXT    NOT NULL,
    symbol     TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    time_us    INTEGER NOT NULL,
    rank       INTEGER NOT NULL,
    side       TEXT    NOT NULL,
    quantity   TEXT    NOT NULL,
    price      TEXT    NOT NULL,
    commission TEXT    NOT NULL,
    multiplier TEXT    NOT NULL,
    currency   TEXT    NOT NULL,
    fill_id    TEXT,
    order_id   TEXT,
    strategy   TEXT,
    stop_loss  TEXT,
    target     TEXT,
    mode       TEXT,
    record_id  INTEGER
) STRICT;
CREATE UNIQUE INDEX fill_key ON fill (account, key);
CREATE INDEX fill_stream ON fill (account, symbol, time_us, rank, key);
CREATE INDEX fill_time ON fill (time_us);
CREATE INDEX fill_record ON fill (record_id) WHERE record_id IS NOT NULL;

-- Where a fill was read; one fill may stand in several imports.
CREATE TABLE sighting (
    source_id INTEGER NOT NULL REFERENCES source (id),
    line      INTEGER NOT NULL,
    fill_id   INTEGER NOT NULL REFERENCES fill (id),
    rank      INTEGER NOT NULL,
    PRIMARY KEY (source_id, line, fill_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX sighting_fill ON sighting (fill_id);

CREATE TABLE rejection (
    id        INTEGER PRIMARY KEY,
    source_id INTEGER NOT NULL REFERENCES source (id),
    record_id INTEGER,
    file      TEXT    NOT NULL,
    line      INTEGER NOT NULL,
    text      TEXT    NOT NULL,
    code      TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    hint      TEXT    NOT NULL,
    account   TEXT,
    since_us  INTEGER NOT NULL,
    until_us  INTEGER NOT NULL
) STRICT;
CREATE INDEX rejection_source ON rejection (source_id, line);
CREATE INDEX rejection_record ON rejection (record_id) WHERE record_id IS NOT NULL;
CREATE INDEX rejection_window ON rejection (since_us, until_us);

-- A logged trade is a position with `logged` = 1; its one booking is not stored a second time.
CREATE TABLE position (
    id            TEXT    NOT NULL,
    account       TEXT    NOT NULL,
    symbol        TEXT    NOT NULL,
    currency      TEXT    NOT NULL,
    multiplier    TEXT    NOT NULL,
    side          TEXT    NOT NULL,
    opened_us     INTEGER,
    closed_us     INTEGER,
    last_us       INTEGER NOT NULL,
    last_rank     INTEGER NOT NULL,
    last_key      TEXT    NOT NULL,
    quantity      TEXT    NOT NULL,
    peak_quantity TEXT    NOT NULL,
    open_quantity TEXT    NOT NULL,
    entry_value   TEXT    NOT NULL,
    exit_value    TEXT    NOT NULL,
    cost          TEXT    NOT NULL,
    gross         TEXT    NOT NULL,
    fees          TEXT    NOT NULL,
    fills         INTEGER NOT NULL,
    strategy      TEXT,
    stop_loss     TEXT,
    target        TEXT,
    planned       TEXT,
    mode          TEXT,
    held_us       INTEGER,
    logged        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX position_id ON position (id);
CREATE INDEX position_closed ON position (closed_us);
CREATE INDEX position_account ON position (account, closed_us);
CREATE INDEX position_stream ON position (account, symbol, last_us) WHERE logged = 0;
CREATE INDEX position_open ON position (account, symbol) WHERE closed_us IS NULL;

CREATE TABLE booking (
    position_id TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    symbol      TEXT    NOT NULL,
    currency    TEXT    NOT NULL,
    time_us     INTEGER NOT NULL,
    rank        INTEGER NOT NULL,
    fill_key    TEXT    NOT NULL,
    part        INTEGER NOT NULL,
    quantity    TEXT    NOT NULL,
    price       TEXT    NOT NULL,
    gross       TEXT    NOT NULL,
    fees        TEXT    NOT NULL,
    closes      INTEGER NOT NULL
) STRICT;
CREATE INDEX booking_time ON booking (time_us);
CREATE INDEX booking_account ON booking (account, time_us);
CREATE INDEX booking_position ON booking (position_id, time_us);

-- One row a scope ('' is all accounts), session and currency.
CREATE TABLE tally (
    account  TEXT    NOT NULL,
    session  TEXT    NOT NULL,
    currency TEXT    NOT NULL,
    last_us  INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (account, session, currency)
) STRICT, WITHOUT ROWID;

-- The life of alerts, as far as the alerts file has been read.
CREATE TABLE alert (
    id      TEXT PRIMARY KEY,
    episode TEXT    NOT NULL,
    state   TEXT    NOT NULL,
    raised_us INTEGER NOT NULL,
    body    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_episode ON alert (episode, raised_us);
CREATE INDEX alert_raised ON alert (raised_us);
