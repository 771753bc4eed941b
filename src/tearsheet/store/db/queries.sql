-- Statements of the ledger by name, in the SQL that SQLite and PostgreSQL share. Plain INSERTs are made from `columns.py`.
-- `?` parameters are in the order of the columns named; `?1` is the first one, however often it is used.
-- `SELECT *` returns a row class of `columns.py`; every other column list equals the fields of the class it is read as.
-- A parameter that is only compared with NULL needs a CAST, and so does a SUM, which PostgreSQL widens.

-- name: get_meta
SELECT value FROM meta WHERE key = ?
-- name: put_meta
INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- name: add_meta
INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING
-- name: ledger_state
SELECT key, value FROM meta WHERE key IN ('identity', 'revision', 'fingerprint')
-- name: log_sources
SELECT kind, name, layout, day, size, mtime_ns, inode, "offset", lines, checksum, tail, complete, facts, rejected, read_at, id
FROM source WHERE kind = 'log'
-- name: import_known
SELECT kind, name, layout, day, size, mtime_ns, inode, "offset", lines, checksum, tail, complete, facts, rejected, read_at, id
FROM source WHERE kind = 'import' AND checksum = ? AND size = ? AND NOT EXISTS (SELECT 1 FROM undo u WHERE u.source_id = source.id) ORDER BY id DESC
-- name: add_source
INSERT INTO source (kind, name, layout, day, size, mtime_ns, inode, "offset", lines, checksum, tail, complete, facts, rejected, read_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
-- name: doubts
SELECT * FROM doubt ORDER BY source, account, kept_in
-- name: doubts_within
SELECT * FROM doubt WHERE since_us < ? AND until_us >= ? ORDER BY code, source, account, kept_in
-- name: remove_doubt
DELETE FROM doubt WHERE source = ? AND account = ? AND kept_in = ?
-- name: accounts_of_files
SELECT DISTINCT f.account FROM fill f JOIN source s ON s.id = f.id >> 32 WHERE s.kind = 'import' AND s.layout <> 'api'
-- name: doubt_of_source
SELECT source FROM doubt WHERE source = ?
-- name: symbols_of_account
SELECT symbol FROM position WHERE account = ? UNION SELECT symbol FROM log_stream WHERE account = ?
-- name: span_of_rejections
SELECT MIN(since_us) AS since_us, MAX(until_us) AS until_us FROM rejection WHERE source_id = ? AND code <> 'unreadable_file'
-- name: feeds
SELECT s.layout, COUNT(*) AS sources, MAX(s.read_at) AS read_us, MAX(t.last_us) AS last_us
FROM source s LEFT JOIN (
    SELECT id >> 32 AS source_id, MAX(time_us) AS last_us FROM record WHERE held_us IS NULL GROUP BY id >> 32
    UNION ALL SELECT id >> 32 AS source_id, MAX(time_us) AS last_us FROM fill WHERE record_id IS NULL GROUP BY id >> 32
) t ON t.source_id = s.id GROUP BY s.layout
-- name: absence
SELECT source FROM absence WHERE source = ?
-- name: absences
SELECT * FROM absence
-- name: remove_absence
DELETE FROM absence WHERE source = ?
-- name: span_of_records
SELECT MIN(time_us) AS since_us, MAX(time_us) AS until_us FROM record WHERE id > ? AND id < ?
-- name: remove_source
DELETE FROM source WHERE id = ?
-- name: remove_unreadable
DELETE FROM rejection WHERE source_id = ? AND code = 'unreadable_file'
-- name: update_source
UPDATE source SET size = ?, mtime_ns = ?, inode = ?, "offset" = ?, lines = ?, checksum = ?, tail = ?, complete = ?, facts = ?, rejected = ?, read_at = ?
WHERE id = ?

-- name: any_record
SELECT id FROM record LIMIT 1
-- name: records_of_key
SELECT r.id, s.name AS file, r.key, r.account, r.symbol, r.closed, r.live, r.held_us, r.order_key, s.day, r.body FROM record r JOIN source s ON s.id = r.id >> 32 WHERE r.account = ? AND r.key = ? AND r.held_us IS NULL
-- name: records_of_source
SELECT r.id, s.name AS file, r.key, r.account, r.symbol, r.closed, r.live, r.held_us, r.order_key, s.day, r.body FROM record r JOIN source s ON s.id = r.id >> 32 WHERE r.id > ? AND r.id < ?
-- name: open_records_of_stream
SELECT r.id, s.name AS file, r.key, r.account, r.symbol, r.closed, r.live, r.held_us, r.order_key, s.day, r.body FROM record r JOIN source s ON s.id = r.id >> 32
WHERE r.account = ? AND r.symbol = ? AND r.live = 1 AND r.closed = 0
-- name: live_records
SELECT r.id, s.name AS file, r.key, r.account, r.symbol, r.closed, r.live, r.held_us, r.order_key, s.day, r.body FROM record r JOIN source s ON s.id = r.id >> 32 WHERE r.live = 1 ORDER BY r.id
-- name: day_of_source
SELECT day FROM source WHERE id = ?
-- name: repeated_orders
SELECT account, key FROM record WHERE held_us IS NULL GROUP BY account, key HAVING COUNT(*) > 1
-- name: next_held
SELECT MIN(held_us) FROM record WHERE held_us IS NOT NULL
-- name: due_records
SELECT r.id, s.name AS file, r.key, r.account, r.symbol, r.closed, r.live, r.held_us, r.order_key, s.day, r.body FROM record r JOIN source s ON s.id = r.id >> 32 WHERE r.held_us <= ?
-- name: release_records
UPDATE record SET held_us = NULL WHERE held_us <= ?
-- name: set_live
UPDATE record SET live = ?, order_key = ? WHERE id = ?
-- name: remove_records
DELETE FROM record WHERE id > ? AND id < ?
-- name: keys_of_source
SELECT key FROM record WHERE id > ? AND id < ?

-- name: log_stream
SELECT * FROM log_stream WHERE account = ? AND symbol = ?
-- name: log_streams
SELECT * FROM log_stream
-- name: put_log_stream
INSERT INTO log_stream (account, symbol, records, closed, as_fills, last_closed_us) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (account, symbol) DO UPDATE SET records = excluded.records, closed = excluded.closed, as_fills = excluded.as_fills, last_closed_us = excluded.last_closed_us
-- name: a_logged_rank
SELECT last_rank FROM position WHERE account = ? AND logged = 1 ORDER BY closed_us LIMIT 1
-- name: first_logged_rank
SELECT MIN(last_rank) FROM position WHERE account = ? AND logged = 1
-- name: last_logged_closing
SELECT closed_us FROM position WHERE account = ? AND symbol = ? AND logged = 1 ORDER BY closed_us DESC LIMIT 1
-- name: remove_log_stream
DELETE FROM log_stream WHERE account = ? AND symbol = ?
-- name: any_statement
SELECT id FROM source WHERE kind = 'import' AND layout <> 'trade_log' LIMIT 1
-- name: log_stream_names
SELECT account, symbol FROM log_stream ORDER BY account, symbol
-- name: span_of_fills
SELECT MIN(time_us) AS first_us, MAX(time_us) AS last_us FROM fill WHERE account = ?
-- name: filled_symbols
WITH RECURSIVE named (symbol) AS (
    SELECT MIN(symbol) FROM fill WHERE account = ?1
    UNION ALL SELECT (SELECT MIN(f.symbol) FROM fill f WHERE f.account = ?1 AND f.symbol > named.symbol) FROM named WHERE named.symbol IS NOT NULL
) SELECT symbol FROM named WHERE symbol IS NOT NULL AND symbol <> ''
-- name: imported_fill
SELECT id FROM fill WHERE account = ? AND symbol = ? AND record_id IS NULL LIMIT 1
-- name: log_use
SELECT COUNT(CASE WHEN as_fills = 0 OR (as_fills = 2 AND closed > 0) THEN 1 END) AS as_trades,
COUNT(CASE WHEN as_fills = 1 OR (as_fills = 2 AND closed < records) THEN 1 END) AS as_fills FROM log_stream
WHERE CAST(?1 AS TEXT) IS NULL OR account = ?1
-- name: log_streams_of_account
SELECT * FROM log_stream WHERE account = ?
-- name: open_log_records
SELECT r.id, COALESCE(r.order_key, r.key) AS key, (SELECT f.day FROM source f WHERE f.id = r.id >> 32) AS day, r.body FROM log_stream s CROSS JOIN record r
WHERE s.as_fills = 0 AND (CAST(?1 AS TEXT) IS NULL OR s.account = ?1)
AND r.account = s.account AND r.symbol = s.symbol AND r.live = 1 AND r.closed = 0 AND r.time_us > COALESCE(s.last_closed_us, 0)

-- name: any_fill
SELECT id FROM fill LIMIT 1
-- name: earlier_of_order
SELECT id FROM fill WHERE account = ? AND symbol = ? AND time_us >= ? AND order_id = ?
AND (time_us < ? OR (time_us = ? AND (rank < ? OR (rank = ? AND key < ?)))) LIMIT 1
-- name: count_without_fee
SELECT COUNT(*) FROM booking WHERE fees = '-0' AND time_us >= ?1 AND time_us < ?2 AND currency = ?3
AND (account = ?4 OR ?4 IS NULL) AND (symbol = ?5 OR ?5 IS NULL)
-- name: cash_between
SELECT * FROM booking WHERE cash IS NOT NULL AND time_us >= ?1 AND time_us < ?2 AND (CAST(?3 AS TEXT) IS NULL OR account = ?3)
ORDER BY time_us, account, rank, fill_key
-- name: credits_between
SELECT * FROM booking WHERE cash IS NOT NULL AND event = 'credit' AND time_us >= ?1 AND time_us < ?2
AND (CAST(?3 AS TEXT) IS NULL OR account = ?3) ORDER BY time_us, account, rank, fill_key
-- name: passed_over
SELECT s.name, b.skipped FROM batch b JOIN source s ON s.id = b.source_id
WHERE b.skipped <> '{}' AND b.skipped LIKE ? AND NOT EXISTS (SELECT 1 FROM undo u WHERE u.source_id = b.source_id) ORDER BY b.source_id LIMIT 100
-- name: any_log_stream
SELECT account FROM log_stream LIMIT 1
-- name: any_booking
SELECT position_id FROM booking LIMIT 1
-- name: any_position
SELECT id FROM position LIMIT 1
-- name: any_gap
SELECT account FROM gap LIMIT 1
-- name: any_unstated_fee
SELECT position_id FROM booking WHERE fees = '-0' LIMIT 1
-- name: tally_count
SELECT count(*) FROM tally
-- name: any_leg
SELECT id FROM fill WHERE key >= 't' AND key < 'u' LIMIT 1
-- name: leg_since
SELECT id FROM fill WHERE key >= 't' AND key < 'u' AND account = ? AND symbol = ? AND time_us >= ? LIMIT 1
-- name: first_leg_between
SELECT MIN(time_us) FROM fill WHERE key >= 't' AND key < 'u' AND account = ? AND symbol = ? AND time_us >= ? AND time_us < ?
-- name: fill_of_key
SELECT * FROM fill WHERE account = ? AND key = ?
-- name: fill_of_record
SELECT id, account, symbol, time_us FROM fill WHERE record_id = ?
-- name: set_rank
UPDATE fill SET rank = ? WHERE id = ?
-- name: remove_fill
DELETE FROM fill WHERE id = ?
-- name: fills_of_stream
SELECT * FROM fill WHERE account = ? AND symbol = ? AND time_us >= ? ORDER BY time_us, rank, key
-- name: imported_multipliers
SELECT account, symbol, multiplier, MIN(time_us) AS first_us, MAX(time_us) AS last_us, COUNT(*) AS fills FROM fill
WHERE record_id IS NULL AND symbol <> '' GROUP BY account, symbol, multiplier ORDER BY account, symbol, multiplier
-- name: set_multiplier
UPDATE fill SET multiplier = ?1 WHERE symbol = ?2 AND record_id IS NULL AND multiplier <> ?1
-- name: set_multiplier_of_variants
UPDATE variant SET multiplier = ?1 WHERE symbol = ?2 AND multiplier <> ?1
-- name: doubt_of_code
SELECT source FROM doubt WHERE code = ? LIMIT 1
-- name: last_fill_of_symbol
SELECT MAX(time_us) FROM fill WHERE symbol = ? AND record_id IS NULL
-- name: accounts_of_symbol
SELECT DISTINCT account FROM fill WHERE symbol = ? AND record_id IS NULL
-- name: fills_since
SELECT * FROM fill WHERE time_us >= ? ORDER BY time_us, account, symbol, rank, key
-- name: any_event
SELECT id FROM fill WHERE event IS NOT NULL OR position_side IS NOT NULL LIMIT 1
-- name: openings_of_account
SELECT * FROM fill WHERE account = ? AND event = 'opening'
-- name: first_fills_of_account
SELECT symbol, MIN(time_us) AS time_us FROM fill WHERE account = ? AND event IS NULL GROUP BY symbol
-- name: event_between
SELECT id FROM fill WHERE account = ? AND symbol = ? AND time_us >= ? AND time_us < ? AND event IS NOT NULL LIMIT 1
-- name: events_of_stream
SELECT * FROM fill WHERE account = ? AND symbol = ? AND event IS NOT NULL ORDER BY time_us, rank, key
-- name: sources_of_events
SELECT f.key, g.source_id FROM fill f JOIN sighting g ON g.fill_id = f.id WHERE f.account = ? AND f.symbol = ? AND f.event IS NOT NULL
-- name: event_of_stream
SELECT id FROM fill WHERE account = ? AND symbol = ? AND (event IS NOT NULL OR position_side IS NOT NULL) LIMIT 1
-- name: trusts_reported_results
SELECT id FROM fill WHERE account = ? AND symbol = ? AND event = 'opening_from_reported' LIMIT 1
-- name: unmatched_with_report
SELECT f.symbol, f.currency, MIN(f.time_us) AS first_us FROM gap g JOIN fill f ON f.account = g.account AND f.key = g.fill_key AND f.symbol = g.symbol
WHERE g.account = ? AND g.code = 'unmatched_closes' AND f.reported IS NOT NULL AND (CAST(? AS TEXT) IS NULL OR f.symbol = ?)
GROUP BY f.symbol, f.currency ORDER BY f.symbol
-- name: streams_of_source
SELECT account, symbol, MIN(time_us) AS first_us, MAX(time_us) AS last_us FROM fill WHERE id > ? AND id < ? AND event IS NULL GROUP BY account, symbol
-- name: any_fill_of_other_sources
SELECT id FROM fill WHERE id <= ? UNION ALL SELECT id FROM fill WHERE id >= ? LIMIT 1
-- name: fills_of_other_sources
SELECT * FROM fill WHERE account = ? AND symbol = ? AND time_us >= ? AND time_us <= ? AND NOT (id > ? AND id < ?) AND event IS NULL ORDER BY time_us, id LIMIT ?
-- name: fills_of_source_within
SELECT * FROM fill WHERE account = ? AND symbol = ? AND time_us >= ? AND time_us <= ? AND id > ? AND id < ? AND event IS NULL ORDER BY time_us, id LIMIT ?
-- name: streams_of_fills
SELECT DISTINCT account, symbol FROM fill
-- name: sightings_of_fill
SELECT s.name AS file, g.line FROM sighting g JOIN source s ON s.id = g.source_id WHERE g.fill_id = ? ORDER BY g.source_id, g.line
-- name: live_record_place
SELECT s.name AS file, r.id & 4294967295 AS line FROM record r JOIN source s ON s.id = r.id >> 32 WHERE (r.order_key = ?1 OR (r.key = ?1 AND r.order_key IS NULL)) AND r.account = ?2 AND r.live = 1

-- name: remove_rejections
DELETE FROM rejection WHERE source_id = ?
-- name: remove_conflict_of_record
DELETE FROM rejection WHERE record_id = ? AND code = 'conflicting_order'
-- name: remove_rejections_of_record
DELETE FROM rejection WHERE record_id = ?
-- name: count_rejections
SELECT COUNT(*) FROM rejection WHERE withdrawn_by IS NULL AND code <> 'wrong_outcome' AND since_us < ?1 AND until_us >= ?2 AND (CAST(?3 AS TEXT) IS NULL OR account IS NULL OR account = ?3)
-- name: rejections
SELECT file, line, text, code, reason, hint, account, id, withdrawn_by FROM rejection WHERE withdrawn_by IS NULL ORDER BY id DESC LIMIT ?
-- name: unfinished_logs
SELECT name FROM source WHERE kind = 'log' AND complete = 0 AND day >= ? AND day < ?
-- name: log_days
SELECT day FROM source WHERE kind = 'log' AND day >= ? AND day < ?
-- name: first_log_day
SELECT MIN(day) FROM source WHERE kind = 'log'

-- name: position
SELECT * FROM position WHERE id = ?
-- name: remove_position
DELETE FROM position WHERE id = ?
-- name: positions_of_stream_since
SELECT * FROM position WHERE account = ? AND symbol = ? AND logged = 0 AND last_us >= ?
-- name: positions_of_stream_spanning
SELECT * FROM position WHERE account = ?1 AND symbol = ?2 AND logged = 0 AND (last_us >= ?3 OR closed_us IS NULL)
-- name: open_position_of_stream
SELECT * FROM position WHERE account = ? AND symbol = ? AND closed_us IS NULL AND logged = 0
-- name: open_positions
SELECT * FROM position WHERE closed_us IS NULL ORDER BY account, symbol
-- name: open_positions_of_account
SELECT * FROM position WHERE account = ? AND closed_us IS NULL ORDER BY account, symbol
-- name: closed_all
SELECT * FROM position WHERE closed_us >= ? AND closed_us < ? ORDER BY closed_us
-- name: closed_account
SELECT * FROM position WHERE account = ? AND closed_us >= ? AND closed_us < ? ORDER BY closed_us
-- name: last_closed_all
SELECT * FROM position WHERE closed_us < ? ORDER BY closed_us DESC
-- name: last_closed_account
SELECT * FROM position WHERE account = ? AND closed_us < ? ORDER BY closed_us DESC
-- name: streams_of_account_since
SELECT DISTINCT symbol FROM position WHERE account = ? AND (closed_us IS NULL OR closed_us >= ?)
-- name: remove_all_positions
DELETE FROM position

-- name: bookings_of_position
SELECT * FROM booking WHERE position_id = ?1
UNION ALL SELECT f.position_id, f.account, f.symbol, f.currency, f.time_us, f.rank, f.fill_key, f.part, f.quantity, f.price, f.gross, f.fees, f.closes, f.carry, f.event, f.cash FROM position p JOIN booked_fill f
ON f.account = p.account AND f.symbol = p.symbol AND f.time_us >= p.opened_us AND f.time_us <= p.last_us
WHERE p.id = ?1 AND f.position = ?2 ORDER BY time_us, rank, fill_key, part
-- name: remove_bookings
DELETE FROM booking WHERE position_id = ?
-- name: remove_fill_bookings
DELETE FROM fill_booking WHERE position = ?2 AND fill_id IN (
    SELECT f.id FROM position p JOIN fill f ON f.account = p.account AND f.symbol = p.symbol AND f.time_us >= p.opened_us AND f.time_us <= p.last_us
    WHERE p.id = ?1)
-- name: copy_fill_bookings
INSERT INTO booking (position_id, account, symbol, currency, time_us, rank, fill_key, part, quantity, price, gross, fees, closes, carry, event, cash)
SELECT position_id, account, symbol, currency, time_us, rank, fill_key, part, quantity, price, gross, fees, closes, carry, event, cash FROM booked_fill WHERE fill_id >= ? AND fill_id < ?
-- name: remove_copied_bookings
DELETE FROM fill_booking WHERE fill_id >= ? AND fill_id < ?
-- name: remove_log_fills
DELETE FROM fill WHERE record_id IS NOT NULL
-- name: remove_all_record_rejections
DELETE FROM rejection WHERE record_id IS NOT NULL AND code <> 'ahead_of_clock'
-- name: unborne_bookings
SELECT * FROM booking WHERE position_id = '' AND account = ? AND symbol = ? AND time_us >= ?
-- name: remove_unborne_bookings
DELETE FROM booking WHERE position_id = '' AND account = ? AND symbol = ? AND time_us >= ?
-- name: last_change_before
SELECT MAX(last_us) FROM position WHERE account = ? AND symbol = ? AND logged = 0 AND opened_us <= ?
-- name: links
SELECT * FROM fill WHERE event IN ('rename', 'merger', 'spin_off', 'transfer_out')
-- name: links_of_batch
SELECT * FROM fill WHERE event IN ('rename', 'merger', 'spin_off', 'transfer_out') AND id > ? AND id < ?
-- name: gaps_of_stream
SELECT * FROM gap WHERE account = ? AND symbol = ? AND time_us >= ?
-- name: remove_gap
DELETE FROM gap WHERE account = ? AND symbol = ? AND time_us = ? AND rank = ? AND fill_key = ?
-- name: remove_gaps_since
DELETE FROM gap WHERE account = ? AND symbol = ? AND time_us >= ?
-- name: remove_gaps_after
DELETE FROM gap WHERE time_us > ?
-- name: remove_all_gaps
DELETE FROM gap
-- name: gaps
SELECT * FROM gap WHERE time_us >= ?1 AND time_us < ?2 AND (CAST(?3 AS TEXT) IS NULL OR account = ?3) AND (CAST(?4 AS TEXT) IS NULL OR symbol = ?4)
ORDER BY time_us, account, symbol, rank, fill_key LIMIT 1000
-- name: remove_all_bookings
DELETE FROM booking
-- name: remove_all_fill_bookings
DELETE FROM fill_booking
-- name: remove_bookings_after
DELETE FROM booking WHERE time_us > ?
-- name: remove_positions_closed_after
DELETE FROM position WHERE closed_us > ?
-- name: bookings_all
SELECT * FROM booking WHERE time_us >= ?1 AND time_us < ?2
UNION ALL SELECT position_id, account, symbol, currency, time_us, rank, fill_key, part, quantity, price, gross, fees, closes, carry, event, cash
FROM booked_fill WHERE time_us >= ?1 AND time_us < ?2 ORDER BY time_us
-- name: bookings_account
SELECT * FROM booking WHERE account = ?1 AND time_us >= ?2 AND time_us < ?3
UNION ALL SELECT position_id, account, symbol, currency, time_us, rank, fill_key, part, quantity, price, gross, fees, closes, carry, event, cash
FROM booked_fill WHERE account = ?1 AND time_us >= ?2 AND time_us < ?3 ORDER BY time_us
-- name: tallies
SELECT * FROM tally WHERE account = ? AND session >= ? AND session < ? AND currency = ? ORDER BY session
-- name: tally
SELECT * FROM tally WHERE account = ? AND session = ? AND currency = ?
-- name: sessions_of
SELECT session, currency FROM tally WHERE account = ?
-- name: put_tally
INSERT INTO tally (account, session, currency, last_us, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (account, session, currency) DO UPDATE SET last_us = excluded.last_us, body = excluded.body
-- name: remove_tally
DELETE FROM tally WHERE account = ? AND session = ? AND currency = ?
-- name: tally_currencies
SELECT DISTINCT currency FROM tally WHERE account = ? AND session >= ? AND session < ?
-- name: position_in_currency
SELECT id FROM position WHERE account = ? AND currency = ? LIMIT 1
-- name: remove_all_tallies
DELETE FROM tally
-- name: first_session
SELECT MIN(session) FROM tally WHERE account = ?
-- name: accounts
WITH RECURSIVE named (account) AS (
    SELECT MIN(account) FROM tally WHERE account > ''
    UNION ALL
    SELECT (SELECT MIN(account) FROM tally WHERE tally.account > named.account) FROM named WHERE named.account IS NOT NULL
)
SELECT account FROM named WHERE account IS NOT NULL
-- name: accounts_unbooked
WITH RECURSIVE named (account) AS (
    SELECT MIN(account) FROM rejection WHERE account > '' AND withdrawn_by IS NULL
    UNION ALL
    SELECT (SELECT MIN(account) FROM rejection WHERE rejection.account > named.account AND withdrawn_by IS NULL) FROM named WHERE named.account IS NOT NULL
), named_in_log (account) AS (
    SELECT MIN(account) FROM log_stream WHERE account > ''
    UNION ALL
    SELECT (SELECT MIN(account) FROM log_stream WHERE log_stream.account > named_in_log.account) FROM named_in_log WHERE named_in_log.account IS NOT NULL
)
SELECT account FROM named WHERE account IS NOT NULL
UNION SELECT account FROM named_in_log WHERE account IS NOT NULL
UNION SELECT account FROM position WHERE closed_us IS NULL
UNION SELECT account FROM gap

-- name: last_booking_all
SELECT COALESCE((SELECT f.time_us FROM fill f WHERE f.time_us > COALESCE((SELECT MAX(time_us) FROM booking), -9223372036854775807)
    AND EXISTS (SELECT 1 FROM fill_booking o WHERE o.fill_id = f.id) ORDER BY f.time_us DESC LIMIT 1), (SELECT MAX(time_us) FROM booking))
-- name: last_booking_account
SELECT COALESCE((SELECT f.time_us FROM fill f WHERE f.account = ?1 AND f.time_us > COALESCE((SELECT MAX(time_us) FROM booking WHERE account = ?1), -9223372036854775807)
    AND EXISTS (SELECT 1 FROM fill_booking o WHERE o.fill_id = f.id) ORDER BY f.time_us DESC LIMIT 1), (SELECT MAX(time_us) FROM booking WHERE account = ?1))
-- name: last_fill_all
SELECT COALESCE((SELECT f.time_us FROM fill f WHERE f.time_us > COALESCE((SELECT MAX(time_us) FROM booking WHERE cash IS NULL), -9223372036854775807)
    AND EXISTS (SELECT 1 FROM fill_booking o WHERE o.fill_id = f.id) ORDER BY f.time_us DESC LIMIT 1), (SELECT MAX(time_us) FROM booking WHERE cash IS NULL))
-- name: last_fill_account
SELECT COALESCE((SELECT f.time_us FROM fill f WHERE f.account = ?1 AND f.time_us > COALESCE((SELECT MAX(time_us) FROM booking WHERE account = ?1 AND cash IS NULL), -9223372036854775807)
    AND EXISTS (SELECT 1 FROM fill_booking o WHERE o.fill_id = f.id) ORDER BY f.time_us DESC LIMIT 1), (SELECT MAX(time_us) FROM booking WHERE account = ?1 AND cash IS NULL))
-- name: last_closing_all
SELECT MAX(closed_us) FROM position
-- name: last_closing_account
SELECT MAX(closed_us) FROM position WHERE account = ?

-- name: alert
SELECT * FROM alert WHERE id = ?
-- name: last_alert_of_episode
SELECT * FROM alert WHERE episode = ? ORDER BY raised_us DESC, id DESC LIMIT 1
-- name: put_alert
INSERT INTO alert (id, episode, state, raised_us, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, body = excluded.body
-- name: remove_all_alerts
DELETE FROM alert

-- name: mark
SELECT * FROM mark WHERE symbol = ?
-- name: marks
SELECT * FROM mark ORDER BY symbol
-- name: remove_mark
DELETE FROM mark WHERE symbol = ?
-- name: put_mark
INSERT INTO mark (symbol, price, time_us) VALUES (?, ?, ?)
ON CONFLICT (symbol) DO UPDATE SET price = excluded.price, time_us = excluded.time_us WHERE excluded.time_us >= mark.time_us

-- name: receipt
SELECT * FROM receipt WHERE key = ?
-- name: remove_old_receipts
DELETE FROM receipt WHERE at_us < ?

-- name: last_rank_at
SELECT MAX(rank) FROM fill WHERE account = ? AND symbol = ? AND time_us = ?
-- name: page_of_fills_all
SELECT * FROM fill WHERE time_us >= ? AND time_us <= ? AND (time_us < ? OR id < ?) AND event IS NULL ORDER BY time_us DESC, id DESC LIMIT ?
-- name: page_of_fills_account
SELECT * FROM fill WHERE account = ? AND time_us >= ? AND time_us <= ? AND (time_us < ? OR id < ?) AND event IS NULL ORDER BY time_us DESC, id DESC LIMIT ?
-- name: page_of_cash_all
SELECT * FROM fill WHERE time_us >= ? AND time_us <= ? AND (time_us < ? OR id < ?) AND amount IS NOT NULL ORDER BY time_us DESC, id DESC LIMIT ?
-- name: page_of_cash_account
SELECT * FROM fill WHERE account = ? AND time_us >= ? AND time_us <= ? AND (time_us < ? OR id < ?) AND amount IS NOT NULL ORDER BY time_us DESC, id DESC LIMIT ?
-- name: page_of_rejections
SELECT file, line, text, code, reason, hint, account, id, withdrawn_by FROM rejection WHERE withdrawn_by IS NULL AND id < ? ORDER BY id DESC LIMIT ?
-- name: page_of_open_alerts
SELECT * FROM alert WHERE state <> 'resolved' AND raised_us <= ? AND (raised_us < ? OR id < ?) ORDER BY raised_us DESC, id DESC LIMIT ?
-- name: page_of_alerts
SELECT * FROM alert WHERE raised_us <= ? AND (raised_us < ? OR id < ?) ORDER BY raised_us DESC, id DESC LIMIT ?

-- name: account_state
SELECT * FROM account_state WHERE account = ?
-- name: put_account_state
INSERT INTO account_state (account, rewrites, last_us, heard_us) VALUES (?, ?, ?, ?)
ON CONFLICT (account) DO UPDATE SET rewrites = excluded.rewrites, last_us = excluded.last_us, heard_us = excluded.heard_us
-- name: rewrite_all_accounts
UPDATE account_state SET rewrites = rewrites + 1 WHERE account > ''
-- name: last_heard
SELECT MAX(heard_us) FROM (SELECT heard_us FROM account_state UNION ALL SELECT said_us AS heard_us FROM feed) heard
-- name: hear_no_later
UPDATE account_state SET heard_us = ?1 WHERE heard_us > ?1
-- name: say_no_later
UPDATE feed SET said_us = ?1 WHERE said_us > ?1
-- name: account_feeds
SELECT * FROM feed WHERE account = ? ORDER BY layout
-- name: feeds_of_all
SELECT MIN(account) AS account, layout, MAX(said_us) AS said_us FROM feed GROUP BY layout ORDER BY layout
-- name: put_feed
INSERT INTO feed (account, layout, said_us) VALUES (?, ?, ?)
ON CONFLICT (account, layout) DO UPDATE SET said_us = CASE WHEN excluded.said_us > feed.said_us THEN excluded.said_us ELSE feed.said_us END
-- name: remove_feeds_of_layout
DELETE FROM feed WHERE layout = ?
-- name: find_feeds_of_log
INSERT INTO feed (account, layout, said_us) SELECT account, 'trade_log', MAX(time_us) FROM record WHERE held_us IS NULL GROUP BY account
-- name: find_feeds_of_layout
INSERT INTO feed (account, layout, said_us)
SELECT f.account, s.layout, MAX(f.time_us) FROM sighting g JOIN fill f ON f.id = g.fill_id JOIN source s ON s.id = g.source_id WHERE s.layout = ? GROUP BY f.account, s.layout
-- name: heard_account
INSERT INTO account_state (account, rewrites, last_us, heard_us) VALUES (?, 0, NULL, ?)
ON CONFLICT (account) DO UPDATE SET heard_us = excluded.heard_us
-- name: log_stream_of_account
SELECT symbol FROM log_stream WHERE account = ? LIMIT 1
-- name: last_session
SELECT MAX(session) FROM tally WHERE account = ?
-- name: add_breach
INSERT INTO breach (id, account, name, trading_day, period_start, number, at_us, value, threshold, fill_key, found_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING
-- name: breaches_of_account
SELECT b.id, b.account, b.name, b.trading_day, b.period_start, b.number, b.at_us, b.value, b.threshold, b.fill_key, b.found_us, r.at_us AS released_us, r.actor, r.reason, r.upto
FROM breach b LEFT JOIN breach_release r ON r.breach_id = b.id WHERE b.account = ?1 AND (b.period_start = '' OR b.period_start >= ?2) ORDER BY b.number
-- name: accounts_with_breaches
SELECT DISTINCT account FROM breach WHERE account > ''
-- name: page_of_breaches_all
SELECT b.id, b.account, b.name, b.trading_day, b.period_start, b.number, b.at_us, b.value, b.threshold, b.fill_key, b.found_us, r.at_us AS released_us, r.actor, r.reason, r.upto
FROM breach b LEFT JOIN breach_release r ON r.breach_id = b.id
WHERE b.found_us <= ? AND (b.found_us < ? OR b.id < ?) ORDER BY b.found_us DESC, b.id DESC LIMIT ?
-- name: page_of_breaches_account
SELECT b.id, b.account, b.name, b.trading_day, b.period_start, b.number, b.at_us, b.value, b.threshold, b.fill_key, b.found_us, r.at_us AS released_us, r.actor, r.reason, r.upto
FROM breach b LEFT JOIN breach_release r ON r.breach_id = b.id
WHERE b.account = ? AND b.found_us <= ? AND (b.found_us < ? OR b.id < ?) ORDER BY b.found_us DESC, b.id DESC LIMIT ?
-- name: open_high
SELECT high FROM open_high WHERE account = ? AND since = ?
-- name: put_open_high
INSERT INTO open_high (account, since, high) VALUES (?, ?, ?) ON CONFLICT (account, since) DO UPDATE SET high = excluded.high
-- name: known_equity
SELECT * FROM known_equity WHERE account = ?
-- name: put_known_equity
INSERT INTO known_equity (account, at_us, unrealized) VALUES (?, ?, ?)
ON CONFLICT (account) DO UPDATE SET at_us = excluded.at_us, unrealized = excluded.unrealized
-- name: opening_equity
SELECT * FROM opening_equity WHERE account = ? AND session >= ? ORDER BY session
-- name: add_opening_equity
INSERT INTO opening_equity (account, session, unrealized) VALUES (?, ?, ?) ON CONFLICT (account, session) DO NOTHING
-- name: positions_of_account
SELECT * FROM position WHERE account = ?
-- name: openings_of_positions
SELECT opened_us FROM position WHERE account = ? AND opened_us >= ?
-- name: limit_base
SELECT * FROM limit_base WHERE account = ? AND plan = ?
-- name: put_limit_base
INSERT INTO limit_base (account, plan, session, start_us, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (account, plan) DO UPDATE SET session = excluded.session, start_us = excluded.start_us, body = excluded.body
-- name: remove_other_limit_bases
DELETE FROM limit_base WHERE account = ? AND plan <> ?
-- name: remove_limit_bases_after
DELETE FROM limit_base WHERE account = ? AND start_us > ?
-- name: remove_all_limit_bases
DELETE FROM limit_base WHERE account > ''

-- name: alert_changes
SELECT body FROM alert_change WHERE alert_id = ? ORDER BY id
-- name: remove_all_alert_changes
DELETE FROM alert_change WHERE alert_id > ''

-- name: superseded_names
SELECT DISTINCT account, key FROM variant WHERE fate = 'superseded' OR status <> 'fill'
-- name: superseded_claims
SELECT v.account, v.symbol, v.time_us, v.side, v.quantity, v.price, v.commission, v.fill_id, v.key, s.name AS file, v.line
FROM variant v JOIN source s ON s.id = v.source_id
WHERE v.fate = 'superseded' AND v.time_us >= ?1 AND v.time_us < ?2 AND (CAST(?3 AS TEXT) IS NULL OR v.account = ?3) AND (CAST(?4 AS TEXT) IS NULL OR v.symbol = ?4)
ORDER BY v.time_us, v.account, v.key, v.source_id, v.line LIMIT 1000
-- name: superseding_claims
SELECT v.status, s.name AS file, v.line, s.read_at FROM variant v JOIN source s ON s.id = v.source_id
WHERE v.account = ? AND v.key = ? AND v.status <> 'fill' AND v.fate = 'stands' ORDER BY v.source_id, v.line
-- name: last_fill_of_source
SELECT MAX(id) FROM fill WHERE id > ? AND id < ?
-- name: remove_variants
DELETE FROM variant WHERE account = ? AND key = ?
-- name: add_sightings_of_lines
INSERT INTO sighting (source_id, line, fill_id, rank) SELECT ?, id + ?, id, rank FROM fill WHERE id > ? AND id <= ? ORDER BY id
-- name: remove_sightings_of_fill
DELETE FROM sighting WHERE fill_id = ?
-- name: sightings_of_key
SELECT g.source_id, g.line, 'fill' AS status, 'stands' AS fate, f.account, f.symbol, f.key, f.time_us, g.rank, f.side, f.quantity, f.price, f.commission, f.multiplier, f.currency, f.fill_id, f.order_id, f.strategy, f.stop_loss, f.target, f.mode, f.event, f.amount, f.position_side, f.terms, f.closes, f.reported, s.layout
FROM fill f JOIN sighting g ON g.fill_id = f.id JOIN source s ON s.id = g.source_id WHERE f.account = ? AND f.key = ?
-- name: variants_of_key
SELECT v.source_id, v.line, v.status, v.fate, v.account, v.symbol, v.key, v.time_us, v.rank, v.side, v.quantity, v.price, v.commission, v.multiplier, v.currency, v.fill_id, v.order_id, v.strategy, v.stop_loss, v.target, v.mode, v.event, v.amount, v.position_side, v.terms, v.closes, v.reported, s.layout
FROM variant v JOIN source s ON s.id = v.source_id WHERE v.account = ? AND v.key = ?

-- name: batches
SELECT s.id, s.name, s.layout, s.read_at, b.new, b.known, b.rejected, b.skipped, b.events, b.who, b.tie_out, u.at_us AS undone_us, u.who AS undone_by, u.gone, u.stayed
FROM batch b JOIN source s ON s.id = b.source_id LEFT JOIN undo u ON u.source_id = b.source_id WHERE b.source_id < ? ORDER BY b.source_id DESC LIMIT ?
-- name: batches_of_files
SELECT s.id, s.name, s.layout, s.read_at, b.new, b.known, b.rejected, b.skipped, b.events, b.who, b.tie_out, u.at_us AS undone_us, u.who AS undone_by, u.gone, u.stayed
FROM batch b JOIN source s ON s.id = b.source_id LEFT JOIN undo u ON u.source_id = b.source_id WHERE b.source_id < ? AND s.layout <> 'api' ORDER BY b.source_id DESC LIMIT ?
-- name: batch
SELECT s.id, s.name, s.layout, s.read_at, b.new, b.known, b.rejected, b.skipped, b.events, b.who, b.tie_out, u.at_us AS undone_us, u.who AS undone_by, u.gone, u.stayed
FROM batch b JOIN source s ON s.id = b.source_id LEFT JOIN undo u ON u.source_id = b.source_id WHERE b.source_id = ?
-- name: keep_tie_out
UPDATE batch SET tie_out = ?, contradictions = ?, agreed = ? WHERE source_id = ?
-- name: keep_contradictions
UPDATE batch SET contradictions = ?, agreed = ? WHERE source_id = ?
-- name: superseded_fill
SELECT source_id FROM variant WHERE account = ? AND key = ? AND (fate = 'superseded' OR status <> 'fill') LIMIT 1
-- name: fill_of_other_import
SELECT f.id FROM fill f WHERE f.account = ?1 AND (f.symbol = ?2 OR ?2 = '') AND f.time_us >= ?3 AND f.time_us < ?4 AND f.event IS NULL
AND NOT EXISTS (SELECT 1 FROM sighting g WHERE g.fill_id = f.id AND g.source_id = ?5) LIMIT 1
-- name: fill_unknown_to_import
SELECT f.id FROM fill f WHERE f.account = ?1 AND (f.symbol = ?2 OR ?2 = '') AND f.time_us >= ?3 AND f.time_us < ?4 AND f.event IS NULL
AND NOT EXISTS (SELECT 1 FROM sighting g WHERE g.fill_id = f.id AND g.source_id = ?5)
AND NOT EXISTS (SELECT 1 FROM variant v WHERE v.account = f.account AND v.key = f.key AND v.source_id = ?5) LIMIT 1
-- name: any_contradiction
SELECT source_id FROM batch WHERE contradictions IS NOT NULL LIMIT 1
-- name: contradictions
SELECT b.source_id, s.name, b.contradictions FROM batch b JOIN source s ON s.id = b.source_id
WHERE b.contradictions IS NOT NULL AND NOT EXISTS (SELECT 1 FROM undo u WHERE u.source_id = b.source_id) ORDER BY b.source_id
-- name: any_agreed
SELECT source_id FROM batch WHERE agreed IS NOT NULL LIMIT 1
-- name: agreed
SELECT b.source_id, b.contradictions, b.agreed FROM batch b
WHERE b.agreed IS NOT NULL AND NOT EXISTS (SELECT 1 FROM undo u WHERE u.source_id = b.source_id) ORDER BY b.source_id
-- name: taken_back
SELECT (SELECT COUNT(*) FROM undo) || '-' || (SELECT COUNT(*) FROM variant WHERE fate = 'superseded' OR status <> 'fill') AS taken_back
-- name: rejections_of_batch
SELECT file, line, text, code, reason, hint, account, id, withdrawn_by FROM rejection WHERE source_id = ? ORDER BY line, id LIMIT ?
-- name: setting_changes
SELECT at_us, who, file, name, old, new FROM setting_change WHERE id < ? ORDER BY id DESC LIMIT ?
-- name: undo
SELECT at_us FROM undo WHERE source_id = ?
-- name: count_undo
UPDATE undo SET gone = ?, stayed = ? WHERE source_id = ?

-- name: days_of_accounts
SELECT * FROM tally WHERE account > ''
-- name: closed_of_streams
SELECT account, symbol, COUNT(closed_us) AS closed FROM position GROUP BY account, symbol

-- name: streams_of_batch
SELECT account, symbol, MIN(time_us) AS time_us FROM fill WHERE id > ? AND id < ? GROUP BY account, symbol
-- name: accounts_of_source
SELECT f.account FROM sighting g JOIN fill f ON f.id = g.fill_id WHERE g.source_id = ?1 GROUP BY f.account
UNION SELECT account FROM record WHERE id > ?1 * 4294967296 AND id < (?1 + 1) * 4294967296
-- name: shared_names
SELECT f.account, f.key FROM sighting g JOIN fill f ON f.id = g.fill_id
WHERE g.source_id = ?1 AND (EXISTS (SELECT 1 FROM sighting o WHERE o.fill_id = f.id AND o.source_id <> ?1) OR EXISTS (SELECT 1 FROM variant v WHERE v.account = f.account AND v.key = f.key))
UNION SELECT v.account, v.key FROM variant v WHERE v.source_id = ?1
-- name: names_that_lose
SELECT f.account, f.key FROM sighting g JOIN fill f ON f.id = g.fill_id
WHERE g.source_id = ?1 AND (EXISTS (SELECT 1 FROM variant v WHERE v.account = f.account AND v.key = f.key)
    OR (EXISTS (SELECT 1 FROM sighting o WHERE o.fill_id = f.id AND o.source_id <> ?1)
        AND (f.id >> 32 = ?1 OR NOT EXISTS (SELECT 1 FROM sighting o WHERE o.fill_id = f.id AND o.source_id <> ?1 AND o.rank = f.rank))))
UNION SELECT v.account, v.key FROM variant v WHERE v.source_id = ?1
-- name: any_posted
SELECT id FROM source WHERE kind = 'import' AND layout = 'api' LIMIT 1
-- name: instants_with_posted
SELECT f.account, f.symbol, f.time_us FROM (
    SELECT k.account, k.symbol, k.time_us FROM sighting g JOIN fill k ON k.id = g.fill_id WHERE g.source_id = ?1
    UNION SELECT v.account, v.symbol, v.time_us FROM variant v WHERE v.source_id = ?1
) f WHERE EXISTS (
    SELECT 1 FROM fill p JOIN source s ON s.id = p.id >> 32
    WHERE p.account = f.account AND p.symbol = f.symbol AND p.time_us = f.time_us AND s.id > ?1 AND s.layout = 'api')
-- name: names_at
SELECT account, key FROM fill WHERE account = ?1 AND symbol = ?2 AND time_us = ?3 AND record_id IS NULL
UNION SELECT account, key FROM variant WHERE account = ?1 AND symbol = ?2 AND time_us = ?3
-- name: logged_rank_at
SELECT MAX(rank) FROM fill WHERE account = ? AND symbol = ? AND time_us = ? AND record_id IS NOT NULL AND id < ?
-- name: count_sightings
SELECT COUNT(*) FROM sighting WHERE source_id = ?
-- name: count_fills_of_source
SELECT COUNT(*) FROM fill WHERE id > ? AND id < ?
-- name: count_fills
SELECT COUNT(*) FROM fill
-- name: remove_sightings
DELETE FROM sighting WHERE source_id = ?
-- name: remove_variants_of_source
DELETE FROM variant WHERE source_id = ?
-- name: remove_fills_of_source
DELETE FROM fill WHERE id > ? AND id < ?

-- name: withdraw_rejections
UPDATE rejection SET withdrawn_by = ? WHERE source_id = ? AND withdrawn_by IS NULL
-- name: withdraw_rejection
UPDATE rejection SET withdrawn_by = ? WHERE id = ?
-- name: restore_rejections
UPDATE rejection SET withdrawn_by = ? WHERE withdrawn_by = ? AND source_id = ?
-- name: sources_withdrawn_by
SELECT DISTINCT source_id FROM rejection r WHERE withdrawn_by = ? AND source_id <> ?
AND NOT EXISTS (SELECT 1 FROM undo u WHERE u.source_id = r.source_id)
-- name: conflicts_at
SELECT id, reason FROM rejection WHERE source_id = ?1 AND line = ?2 AND fill_key = ?3 AND (withdrawn_by IS NULL OR withdrawn_by = ?4) ORDER BY id
-- name: read_again_by
SELECT MIN(l.id) FROM source s JOIN source l ON l.kind = 'import' AND l.checksum = s.checksum AND l.size = s.size AND l.id > s.id
WHERE s.id = ? AND NOT EXISTS (SELECT 1 FROM undo u WHERE u.source_id = l.id)
-- name: source_of_id
SELECT kind, name, layout, day, size, mtime_ns, inode, "offset", lines, checksum, tail, complete, facts, rejected, read_at, id
FROM source WHERE id = ?

-- name: note
SELECT * FROM note WHERE id = ?
-- name: notes
SELECT * FROM note
-- name: notes_of_position
SELECT * FROM note
WHERE position_id = ? AND (text <> '' OR tags <> '[]') ORDER BY time_us, id
-- name: notes_since
SELECT * FROM note WHERE account = ? AND time_us >= ?
-- name: orphaned_notes_of_account
SELECT * FROM note WHERE account = ? AND position_id IS NULL
-- name: orphaned_notes
SELECT * FROM note
WHERE position_id IS NULL AND (text <> '' OR tags <> '[]') AND id > ? ORDER BY id LIMIT ?
-- name: put_note
INSERT INTO note (id, account, fill_key, symbol, time_us, position_id, version, text, tags, who, at_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET symbol = excluded.symbol, time_us = excluded.time_us, position_id = excluded.position_id,
version = excluded.version, text = excluded.text, tags = excluded.tags, who = excluded.who, at_us = excluded.at_us
-- name: place_note
UPDATE note SET symbol = ?, time_us = ?, position_id = ? WHERE id = ?
-- name: booking_of_fill
SELECT b.position_id, b.symbol, b.time_us, b.part FROM fill f JOIN booking b ON b.account = f.account AND b.time_us = f.time_us AND b.fill_key = f.key
WHERE f.account = ?1 AND f.key = ?2
UNION ALL SELECT position_id, symbol, time_us, part FROM booked_fill WHERE account = ?1 AND fill_key = ?2 ORDER BY part DESC LIMIT 1
-- name: logged_position
SELECT id AS position_id, symbol, last_us AS time_us, 0 AS part FROM position WHERE id = ? AND logged = 1
-- name: note_versions
SELECT * FROM note_version WHERE note_id = ? ORDER BY version
-- name: remove_note_tag
DELETE FROM note_tag WHERE tag = ? AND note_id = ?
-- name: note_tags
SELECT tag, COUNT(*) AS notes FROM note_tag GROUP BY tag ORDER BY tag
-- name: positions_with_tag
SELECT n.position_id FROM note_tag t JOIN note n ON n.id = t.note_id WHERE t.tag = ? AND n.position_id IS NOT NULL
-- name: tags_of_positions
SELECT n.position_id, t.tag FROM note_tag t JOIN note n ON n.id = t.note_id WHERE n.position_id IS NOT NULL
-- name: count_tag
SELECT COUNT(*) FROM note_tag WHERE tag = ?

-- name: stated_rates
SELECT account, key, currency, time_us, terms FROM fill
WHERE terms LIKE '%"base_rate"%' AND time_us >= ?1 AND time_us < ?2 AND (CAST(?3 AS TEXT) IS NULL OR account = ?3)
-- name: rates_of_pair
SELECT * FROM rate WHERE from_currency = ? AND to_currency = ? AND day >= ? AND day <= ? ORDER BY day, source_id
-- name: count_rates_of_source
SELECT COUNT(*) FROM rate WHERE source_id = ?
-- name: remove_rates_of_source
DELETE FROM rate WHERE source_id = ?
-- name: rate_currencies
SELECT from_currency AS currency FROM rate UNION SELECT to_currency FROM rate
-- name: listed_rates
SELECT r.from_currency, r.to_currency, r.day, r.source_id, r.rate, r.origin, s.read_at, b.who
FROM rate r JOIN source s ON s.id = r.source_id JOIN batch b ON b.source_id = r.source_id
WHERE r.day >= ? AND r.day <= ? AND (? = '' OR r.from_currency = ?) AND (? = '' OR r.to_currency = ?)
ORDER BY r.day DESC, r.from_currency, r.to_currency, r.source_id DESC LIMIT ?
