-- What people say of positions: facts that no book is made of and no rebuild touches. A note is of the
-- fill or logged result that opened its position, so it outlives whatever the position becomes.
-- `position_id` is where that fill stands now: NULL while it is not in the ledger. `symbol` and `time_us`
-- are those of the fill. A note that was taken back is left with no text and no tags.
CREATE TABLE note (
    id          TEXT    NOT NULL,
    account     TEXT    NOT NULL,
    fill_key    TEXT    NOT NULL,
    symbol      TEXT    NOT NULL,
    time_us     INTEGER NOT NULL,
    position_id TEXT,
    version     INTEGER NOT NULL,
    text        TEXT    NOT NULL,
    tags        TEXT    NOT NULL,
    who         TEXT    NOT NULL,
    at_us       INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX note_position ON note (position_id);
CREATE INDEX note_fill ON note (account, time_us);
CREATE INDEX note_orphaned ON note (account) WHERE position_id IS NULL;

-- The tags of each note, to be found by.
CREATE TABLE note_tag (
    tag     TEXT NOT NULL,
    note_id TEXT NOT NULL REFERENCES note (id),
    PRIMARY KEY (tag, note_id)
) STRICT, WITHOUT ROWID;

-- Everything that a note ever said, by whom and when. Nothing is ever taken out.
CREATE TABLE note_version (
    note_id TEXT    NOT NULL REFERENCES note (id),
    version INTEGER NOT NULL,
    text    TEXT    NOT NULL,
    tags    TEXT    NOT NULL,
    who     TEXT    NOT NULL,
    at_us   INTEGER NOT NULL,
    PRIMARY KEY (note_id, version)
) STRICT, WITHOUT ROWID;
