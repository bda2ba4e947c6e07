-- The schema of Whorl.
--
-- Small reference tables (organization, project, project_key, api_token) have keys of their own. Every table that grows
-- with events has project_id first in every key, so that the schema can be spread over several Postgres nodes by it.

CREATE TABLE organization (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug       text NOT NULL UNIQUE,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE project (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    organization_id bigint NOT NULL REFERENCES organization (id),
    slug            text NOT NULL,
    name            text NOT NULL,
    platform        text,
    -- Filters, scrubbing, limits: a JSON object, read by the collectors.
    settings        text NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT now(),
    -- Set when the project is deleted; its rows are removed afterwards, in small steps.
    deleted_at      timestamptz,
    UNIQUE (organization_id, slug)
);

CREATE TABLE project_key (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL REFERENCES project (id),
    public_key text NOT NULL UNIQUE,
    label      text NOT NULL,
    is_active  boolean NOT NULL DEFAULT true,
    -- Events that the key may send within so many seconds; null without a limit.
    rate_limit_count   bigint,
    rate_limit_seconds integer,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX project_key_project ON project_key (project_id);

-- Grows whenever an organization, a project or a key changes, so that collectors notice by reading one row.
CREATE TABLE configuration (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version  bigint NOT NULL DEFAULT 1
);
INSERT INTO configuration DEFAULT VALUES;

CREATE FUNCTION configuration_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE configuration SET version = version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON organization
    FOR EACH STATEMENT EXECUTE FUNCTION configuration_changed();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON project
    FOR EACH STATEMENT EXECUTE FUNCTION configuration_changed();
CREATE TRIGGER configuration_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON project_key
    FOR EACH STATEMENT EXECUTE FUNCTION configuration_changed();

CREATE TABLE api_token (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Null for a token of the whole installation.
    organization_id bigint REFERENCES organization (id),
    name            text NOT NULL,
    -- SHA-256 of the token; the token itself is shown once and kept nowhere.
    token_hash      bytea NOT NULL UNIQUE,
    scopes          text[] NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    expires_at      timestamptz
);

-- The next number of a project's short ids, such as WEB-2A.
CREATE TABLE project_counter (
    project_id    bigint PRIMARY KEY,
    next_short_id bigint NOT NULL DEFAULT 1
);

CREATE TABLE environment (
    project_id bigint NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    -- Empty for events that name no environment.
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, name)
);

CREATE TABLE release (
    project_id bigint NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    version    text NOT NULL,
    -- Room for an order of versions.
    sort_order bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, version)
);

CREATE SEQUENCE issue_id_sequence;

CREATE TABLE issue (
    project_id        bigint NOT NULL,
    id                bigint NOT NULL,
    short_id          bigint NOT NULL,
    -- 0 unresolved, 1 resolved, 2 ignored.
    status            smallint NOT NULL DEFAULT 0,
    -- new, ongoing, regressed, archived_forever, …; null when resolved.
    substatus         text DEFAULT 'new',
    level             smallint NOT NULL,
    type              text NOT NULL,
    title             text NOT NULL,
    culprit           text NOT NULL,
    location          text,
    metadata          text NOT NULL,
    platform          text NOT NULL,
    logger            text,
    is_unhandled      boolean NOT NULL,
    first_seen        timestamptz NOT NULL,
    last_seen         timestamptz NOT NULL,
    -- last_seen rounded down to five minutes: what the list is indexed by, so that most updates touch no index.
    last_seen_bucket  timestamptz NOT NULL,
    -- Caches of the sums over the issue's hashes.
    event_count       bigint NOT NULL DEFAULT 0,
    user_count        bigint NOT NULL DEFAULT 0,
    first_release_id  bigint,
    last_release_id   bigint,
    resolved_at       timestamptz,
    regressed_at      timestamptz,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, short_id)
) WITH (fillfactor = 70);
CREATE INDEX issue_list ON issue (project_id, status, last_seen_bucket DESC, id DESC);

-- A fingerprint hash and the issue it points to. Merging re-points hashes; deleting an issue deletes its rows here, so
-- that the next event of the fingerprint starts a new issue.
CREATE SEQUENCE hash_id_sequence;

CREATE TABLE grouping_hash (
    project_id bigint NOT NULL,
    id         bigint NOT NULL,
    hash       bytea NOT NULL,
    issue_id   bigint NOT NULL,
    PRIMARY KEY (project_id, id),
    UNIQUE (project_id, hash)
);
CREATE INDEX grouping_hash_issue ON grouping_hash (project_id, issue_id);

CREATE TABLE event (
    project_id     bigint NOT NULL,
    event_id       uuid NOT NULL,
    -- The day in UTC on which the request arrived.
    received_day   date NOT NULL,
    received_at    timestamptz NOT NULL,
    occurred_at    timestamptz NOT NULL,
    -- By the sender's clock, which may be wrong; the page that shows the event corrects it as the way in did.
    sent_at        timestamptz,
    hash_id        bigint NOT NULL,
    environment_id bigint NOT NULL,
    release_id     bigint,
    level          smallint NOT NULL,
    user_hash      bytea,
    title          text NOT NULL,
    -- `key=value`; a key holds no `=`.
    tags           text[] NOT NULL,
    -- The client's address, where the event asked for it to be filled in.
    client_address text,
    -- What was trimmed, scrubbed or repaired before the payload was written: a JSON array; null when nothing was.
    notes          text,
    -- How the payload is compressed: 0 zstd without a dictionary, above 0 zstd with that dictionary, -1 a thin row
    -- without payload and tags.
    payload_codec  smallint NOT NULL,
    payload        bytea NOT NULL,
    PRIMARY KEY (project_id, event_id, received_day)
) PARTITION BY RANGE (received_day);
-- The bytes are compressed already.
ALTER TABLE event ALTER COLUMN payload SET STORAGE EXTERNAL;
-- Without the event's id: an index that held it could be taken for the primary key's work on a partition that has just
-- been made, and then be read from end to end for each event.
CREATE INDEX event_by_hash ON event (project_id, hash_id, occurred_at DESC);
CREATE INDEX event_by_time ON event (project_id, occurred_at DESC);

-- Aggregates are keyed by hash and environment, so that an issue's numbers are sums over its hashes, whatever is merged.

CREATE TABLE hash_environment (
    project_id     bigint NOT NULL,
    hash_id        bigint NOT NULL,
    environment_id bigint NOT NULL,
    events         bigint NOT NULL,
    -- Those of them that are kept without a payload, since too many came within a minute.
    thin_events    bigint NOT NULL DEFAULT 0,
    first_seen     timestamptz NOT NULL,
    last_seen      timestamptz NOT NULL,
    PRIMARY KEY (project_id, hash_id, environment_id)
) WITH (fillfactor = 70);

CREATE TABLE hash_hour (
    project_id     bigint NOT NULL,
    hash_id        bigint NOT NULL,
    environment_id bigint NOT NULL,
    hour           timestamptz NOT NULL,
    events         bigint NOT NULL,
    PRIMARY KEY (project_id, hash_id, environment_id, hour)
) WITH (fillfactor = 70);

-- environment_id 0 stands for "in any environment", so that both counts are a count of rows.
CREATE TABLE hash_user (
    project_id     bigint NOT NULL,
    hash_id        bigint NOT NULL,
    environment_id bigint NOT NULL,
    user_hash      bytea NOT NULL,
    PRIMARY KEY (project_id, hash_id, environment_id, user_hash)
);

-- Values of one key on one day are bounded; what is over the bound is counted as __other__.
CREATE TABLE hash_tag (
    project_id     bigint NOT NULL,
    hash_id        bigint NOT NULL,
    key            text NOT NULL,
    day            date NOT NULL,
    value          text NOT NULL,
    environment_id bigint NOT NULL,
    events         bigint NOT NULL,
    first_seen     timestamptz NOT NULL,
    last_seen      timestamptz NOT NULL,
    PRIMARY KEY (project_id, hash_id, key, day, value, environment_id)
) WITH (fillfactor = 70);

-- Tags of stored events that are not in hash_tag yet: a row for each project and batch, one element for each event. They
-- are written with the events and counted together a moment later: an event has a dozen tags, and as many rows of
-- hash_tag would be most of what it costs.
CREATE SEQUENCE tag_backlog_sequence;
CREATE TABLE tag_backlog (
    project_id      bigint NOT NULL,
    id              bigint NOT NULL,
    hash_ids        bigint[] NOT NULL,
    environment_ids bigint[] NOT NULL,
    days            date[] NOT NULL,
    occurred_at     timestamptz[] NOT NULL,
    -- `key=value`, separated by U+001F.
    tags            text[] NOT NULL,
    PRIMARY KEY (project_id, id)
);

CREATE TABLE issue_activity (
    project_id bigint NOT NULL,
    issue_id   bigint NOT NULL,
    id         bigint GENERATED ALWAYS AS IDENTITY,
    kind       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, issue_id, id)
);

-- Hashes whose issue was deleted: their events and aggregates are removed in the background.
CREATE TABLE deleted_hash (
    project_id bigint NOT NULL,
    hash_id    bigint NOT NULL,
    deleted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, hash_id)
);

-- What became of the items received, per minute. The slot keeps writers from waiting for each other's rows; a number is
-- the sum over the slots.
CREATE TABLE outcome (
    project_id bigint NOT NULL,
    minute     timestamptz NOT NULL,
    category   text NOT NULL,
    outcome    text NOT NULL,
    reason     text NOT NULL,
    slot       smallint NOT NULL,
    quantity   bigint NOT NULL,
    PRIMARY KEY (project_id, minute, category, outcome, reason, slot)
) WITH (fillfactor = 70);

-- Events that were not kept, remembered for a while, so that who looks for one is told why.
CREATE TABLE dropped_event (
    project_id bigint NOT NULL,
    event_id   uuid NOT NULL,
    dropped_at timestamptz NOT NULL,
    outcome    text NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (project_id, event_id)
);
CREATE INDEX dropped_event_age ON dropped_event (dropped_at);

-- How much of a limit was lent to collectors in a window of time. Each takes a part and spends it without asking.
CREATE TABLE budget (
    scope        text NOT NULL,
    window_start timestamptz NOT NULL,
    granted      bigint NOT NULL,
    PRIMARY KEY (scope, window_start)
);

-- What the collector itself counts on: the project of its own canary events has no row of its own, only a counter.
INSERT INTO project_counter (project_id) VALUES (0);
