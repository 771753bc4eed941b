-- Sides of round trips are few, and asked for by every change of their instrument.
CREATE INDEX fill_leg ON fill (account, symbol, time_us) WHERE key >= 't' AND key < 'u';
