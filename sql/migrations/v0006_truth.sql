-- Tokens that can be listed and revoked.
ALTER TABLE api_token
    -- Who made it: `command line`, `bootstrap`, `first start`.
    ADD COLUMN maker text NOT NULL DEFAULT 'unknown',
    -- To the minute, so that reading with a token rarely writes.
    ADD COLUMN last_used_at timestamptz,
    -- The row of a revoked token stays, so that a start does not make it again.
    ADD COLUMN revoked_at timestamptz;

-- Public keys that were deleted: a start with the same bootstrap key does not bring one back.
CREATE TABLE retired_key (
    public_key text PRIMARY KEY,
    retired_at timestamptz NOT NULL DEFAULT now()
);

-- Writes of outcomes that were committed, for a day: a write whose answer was lost is sent again with the same number, and
-- counts once.
CREATE TABLE outcome_write (
    id         uuid PRIMARY KEY,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outcome_write_age ON outcome_write (written_at);
