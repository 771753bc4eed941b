-- What each kind of source (a layout) of an account said last: a post by its arrival, a log or statement by its last fact.
-- `heard_us` of `account_state` is from here on what was posted or a heartbeat, not a record of a log.
CREATE TABLE feed (
    account TEXT    NOT NULL,
    layout  TEXT    NOT NULL,
    said_us INTEGER NOT NULL,
    PRIMARY KEY (account, layout)
) STRICT, WITHOUT ROWID;
INSERT INTO feed (account, layout, said_us) SELECT account, 'trade_log', MAX(time_us) FROM record WHERE held_us IS NULL GROUP BY account;
INSERT INTO feed (account, layout, said_us)
SELECT f.account, s.layout, MAX(CASE WHEN s.layout = 'api' THEN s.read_at ELSE f.time_us END)
FROM sighting g JOIN fill f ON f.id = g.fill_id JOIN source s ON s.id = g.source_id GROUP BY f.account, s.layout;
UPDATE account_state SET heard_us = NULL WHERE account IN (SELECT account FROM feed WHERE layout = 'trade_log');
