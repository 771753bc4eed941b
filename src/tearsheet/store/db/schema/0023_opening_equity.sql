-- What was open when a session began, at its last prices; prices are not kept, so it is.
CREATE TABLE opening_equity (
    account    TEXT NOT NULL,
    session    TEXT NOT NULL,
    unrealized TEXT NOT NULL,
    PRIMARY KEY (account, session)
) STRICT, WITHOUT ROWID;

-- What is open at the last prices that came, of accounts whose day begins with their equity.
CREATE TABLE known_equity (
    account    TEXT    NOT NULL,
    at_us      INTEGER NOT NULL,
    unrealized TEXT    NOT NULL,
    PRIMARY KEY (account)
) STRICT, WITHOUT ROWID;
CREATE INDEX position_opened ON position (account, opened_us);
