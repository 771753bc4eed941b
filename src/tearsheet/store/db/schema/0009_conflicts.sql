-- Key of the fill that a line contradicts, so that no program has to find it in the message.
-- Rejections saved before name the execution and its account in their message; it is read here once.
ALTER TABLE rejection ADD COLUMN fill_key TEXT;
UPDATE rejection SET fill_key = (
    SELECT MIN(v.key) FROM variant v
    WHERE v.source_id = rejection.source_id AND v.line = rejection.line AND v.account = rejection.account
        AND substr(rejection.reason, 1, length('execution ' || v.fill_id || ' of account ' || v.account || ' '))
            = 'execution ' || v.fill_id || ' of account ' || v.account || ' '
)
WHERE code = 'conflicting_id';
