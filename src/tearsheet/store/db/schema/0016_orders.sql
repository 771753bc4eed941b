-- An order id that is used again names another order: its valid record has a key of its own. NULL: `key`.
ALTER TABLE record ADD COLUMN order_key TEXT;
CREATE INDEX record_order ON record (order_key) WHERE order_key IS NOT NULL;
