-- What an import came to when it was read; its lines that could not be used are in `rejection`.
CREATE TABLE batch (
    source_id INTEGER NOT NULL REFERENCES source (id),
    new       INTEGER NOT NULL,
    known     INTEGER NOT NULL,
    rejected  INTEGER NOT NULL,
    skipped   TEXT    NOT NULL,
    PRIMARY KEY (source_id)
) STRICT, WITHOUT ROWID;
INSERT INTO batch (source_id, new, known, rejected, skipped)
SELECT s.id, n.fills, CASE WHEN s.facts > n.fills THEN s.facts - n.fills ELSE 0 END, s.rejected, '{}'
FROM source s JOIN (
    SELECT o.id, (SELECT COUNT(*) FROM fill f WHERE f.id > o.id * 4294967296 AND f.id < (o.id + 1) * 4294967296) AS fills
    FROM source o WHERE o.kind = 'import'
) n ON n.id = s.id;

-- That an import was taken out again: when, by whom, and what went and what stayed with it.
CREATE TABLE undo (
    source_id INTEGER NOT NULL REFERENCES source (id),
    at_us     INTEGER NOT NULL,
    who       TEXT    NOT NULL,
    gone      INTEGER NOT NULL,
    stayed    INTEGER NOT NULL,
    PRIMARY KEY (source_id)
) STRICT, WITHOUT ROWID;

-- What a line said of a fill where it is not word for word what is kept. `status` is what the line
-- is (fill, correction or bust); `fate` what became of it: it stands, was superseded, or was refused.
CREATE TABLE variant (
    source_id  INTEGER NOT NULL REFERENCES source (id),
    line       INTEGER NOT NULL,
    status     TEXT    NOT NULL,
    fate       TEXT    NOT NULL,
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
    PRIMARY KEY (source_id, line, account, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX variant_key ON variant (account, key);
CREATE INDEX variant_stream ON variant (account, symbol, time_us);
CREATE INDEX variant_superseding ON variant (account, key) WHERE fate = 'superseded' OR status <> 'fill';
CREATE INDEX variant_superseded ON variant (time_us) WHERE fate = 'superseded';

-- The import that took a rejection back: one that read the same file again, or its own undoing.
ALTER TABLE rejection ADD COLUMN withdrawn_by INTEGER;
CREATE INDEX rejection_withdrawn ON rejection (withdrawn_by) WHERE withdrawn_by IS NOT NULL;
