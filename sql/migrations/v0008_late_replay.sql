-- Events that came out of a spool two days or more after they were received. Their rows lie under the day on which they were
-- received, where a sender that sends one of them again would not be looked for. Kept for longer than a spool keeps anything.
CREATE TABLE late_replay (
    project_id  bigint NOT NULL,
    event_id    uuid NOT NULL,
    replayed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, event_id)
);
CREATE INDEX late_replay_age ON late_replay (replayed_at);
