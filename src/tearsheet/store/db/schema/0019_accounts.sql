-- Accounts that are known by rejected rows alone, found without reading the others.
CREATE INDEX rejection_account ON rejection (account) WHERE account > '' AND withdrawn_by IS NULL;
