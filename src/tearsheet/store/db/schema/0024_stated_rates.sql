-- Rows that state the rate into the account's currency, which goes before every other.
CREATE INDEX fill_base_rate ON fill (time_us) WHERE terms LIKE '%"base_rate"%';
