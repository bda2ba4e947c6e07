-- Merging issues, and undoing it, by hash.

-- The issue for which a hash was made. Merging points a hash elsewhere and leaves this, so that it can be pointed back.
ALTER TABLE grouping_hash ADD COLUMN home_issue_id bigint;
UPDATE grouping_hash SET home_issue_id = issue_id;
ALTER TABLE grouping_hash ALTER COLUMN home_issue_id SET NOT NULL;

-- A collector of the version before may go on for a while beside this one.
CREATE FUNCTION grouping_hash_home() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.home_issue_id := coalesce(NEW.home_issue_id, NEW.issue_id);
    RETURN NEW;
END $$;
CREATE TRIGGER grouping_hash_home BEFORE INSERT ON grouping_hash FOR EACH ROW EXECUTE FUNCTION grouping_hash_home();

ALTER TABLE issue
    -- The issue that its hashes were merged into; it is shown nowhere meanwhile, and keeps what it was.
    ADD COLUMN merged_into bigint,
    -- Grows whenever hashes come or go: a batch that was on its way meanwhile looks its hashes up again.
    ADD COLUMN hash_epoch bigint NOT NULL DEFAULT 0;
CREATE INDEX issue_merged ON issue (project_id, merged_into) WHERE merged_into IS NOT NULL;

ALTER TABLE issue_activity
    -- Who did it: the name of a token; null for the collector itself.
    ADD COLUMN actor text,
    -- What else is to be said, as JSON.
    ADD COLUMN data text;

-- Projects that have issues move to the second algorithm within ninety days; meanwhile the first one leads, and both kinds
-- of hashes are kept, so that no issue splits.
UPDATE project SET settings = (
        settings::jsonb || jsonb_build_object(
            'grouping', jsonb_build_object(
                'version', 2, 'previous', 1, 'previousUntil', floor(extract(epoch FROM now() + interval '90 days'))))
    )::text
WHERE EXISTS (SELECT FROM issue i WHERE i.project_id = project.id);
