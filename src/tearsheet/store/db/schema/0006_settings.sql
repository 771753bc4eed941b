-- Who brought an import, where somebody said so.
ALTER TABLE batch ADD COLUMN who TEXT;

-- Every change of a limit, a target or a setting that was made by the dashboard. Nothing is ever taken out.
CREATE TABLE setting_change (
    id       INTEGER PRIMARY KEY,
    at_us    INTEGER NOT NULL,
    who      TEXT    NOT NULL,
    file     TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    old      TEXT,
    new      TEXT
) STRICT;
