-- Grouping the stored events of a project anew: a job that moves them to other hashes page by page, and what it moved, so
-- that it can be taken back.
CREATE TABLE regroup_job (
    project_id  bigint NOT NULL,
    id          bigint GENERATED ALWAYS AS IDENTITY,
    -- running, done; reverting, reverted; cancelled, failed.
    state       text NOT NULL DEFAULT 'running',
    since       timestamptz NOT NULL,
    -- The last event that was looked at.
    position    timestamptz NOT NULL,
    position_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    batch       bigint NOT NULL DEFAULT 0,
    total       bigint NOT NULL,
    processed   bigint NOT NULL DEFAULT 0,
    moved       bigint NOT NULL DEFAULT 0,
    -- Pages that failed since the last one that did not.
    failures    integer NOT NULL DEFAULT 0,
    actor       text,
    error       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (project_id, id)
);

CREATE TABLE regroup_move (
    project_id   bigint NOT NULL,
    job_id       bigint NOT NULL,
    batch        bigint NOT NULL,
    event_id     uuid NOT NULL,
    received_day date NOT NULL,
    from_hash_id bigint NOT NULL,
    to_hash_id   bigint NOT NULL,
    PRIMARY KEY (project_id, job_id, batch, event_id, received_day)
);
