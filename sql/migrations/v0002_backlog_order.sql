-- The backlog is emptied oldest first, whatever the project.
CREATE INDEX tag_backlog_order ON tag_backlog (id);

-- Old minutes are rolled up and removed whatever the project.
CREATE INDEX outcome_age ON outcome (minute);
