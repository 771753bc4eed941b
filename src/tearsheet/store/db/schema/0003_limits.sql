-- Of each account: how often what was booked has changed before its last booking, when that was,
-- and when its source was last heard. Whoever follows an account knows by it whether to begin anew.
CREATE TABLE account_state (
    account  TEXT    NOT NULL,
    rewrites INTEGER NOT NULL,
    last_us  INTEGER,
    heard_us INTEGER,
    PRIMARY KEY (account)
) STRICT, WITHOUT ROWID;
INSERT INTO account_state (account, rewrites, last_us) SELECT account, 0, MAX(last_us) FROM tally WHERE account > '' GROUP BY account;

-- Limits that were broken; `period_start` is '' for a limit that never resets. Nothing is ever taken out.
CREATE TABLE breach (
    id           TEXT    NOT NULL,
    account      TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    trading_day  TEXT    NOT NULL,
    period_start TEXT    NOT NULL,
    number       INTEGER NOT NULL,
    at_us        INTEGER NOT NULL,
    value        TEXT    NOT NULL,
    threshold    TEXT    NOT NULL,
    fill_key     TEXT,
    found_us     INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX breach_account ON breach (account, period_start);
CREATE INDEX breach_page ON breach (found_us, id);
CREATE INDEX breach_account_page ON breach (account, found_us, id);

-- Who lifted a breach, and why. Nothing is ever taken out.
CREATE TABLE breach_release (
    breach_id TEXT    NOT NULL REFERENCES breach (id),
    at_us     INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    reason    TEXT    NOT NULL,
    upto      TEXT    NOT NULL,
    PRIMARY KEY (breach_id)
) STRICT, WITHOUT ROWID;

-- The highest that equity with what was open has been seen at a price; prices are not kept, so it is.
CREATE TABLE open_high (
    account TEXT NOT NULL,
    since   TEXT NOT NULL,
    high    TEXT NOT NULL,
    PRIMARY KEY (account, since)
) STRICT, WITHOUT ROWID;

-- An account's running sums at the first instant of a session, so that a book need not begin with
-- the first fill ever. Made from the books; taken out where something before it changes.
CREATE TABLE limit_base (
    account  TEXT    NOT NULL,
    plan     TEXT    NOT NULL,
    session  TEXT    NOT NULL,
    start_us INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    PRIMARY KEY (account, plan)
) STRICT, WITHOUT ROWID;

-- Every change in the life of an alert, in the order of the alerts file, which is read anew for it.
CREATE TABLE alert_change (
    id       INTEGER PRIMARY KEY,
    alert_id TEXT    NOT NULL,
    body     TEXT    NOT NULL
) STRICT;
CREATE INDEX alert_change_alert ON alert_change (alert_id, id);
UPDATE meta SET value = '0' WHERE key = 'alerts_offset';
