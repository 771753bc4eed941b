-- What is not over yet is few, and asked for often.
CREATE INDEX alert_open ON alert (raised_us, id) WHERE state <> 'resolved';
