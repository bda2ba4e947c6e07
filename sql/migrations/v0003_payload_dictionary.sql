-- Dictionaries that payloads are compressed with, trained from stored events. Rows refer to them by number for ever, so
-- none is deleted. Numbers below 100 are those of dictionaries that come with the program.
CREATE TABLE payload_dictionary (
    id         smallint PRIMARY KEY CHECK (id >= 100),
    dictionary bytea NOT NULL,
    samples    integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
