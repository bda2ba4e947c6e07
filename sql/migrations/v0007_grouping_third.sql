-- Projects that have issues move to the third algorithm within ninety days; meanwhile the one before leads, and both kinds of
-- hashes are kept, so that no issue splits. Projects that are in a transition already finish that one.
UPDATE project SET settings = (
        settings::jsonb || jsonb_build_object(
            'grouping', coalesce(settings::jsonb -> 'grouping', '{}'::jsonb) || jsonb_build_object(
                'version', 3, 'previous', 2, 'previousUntil', floor(extract(epoch FROM now() + interval '90 days'))))
    )::text
WHERE EXISTS (SELECT FROM issue i WHERE i.project_id = project.id)
    AND coalesce((settings::jsonb -> 'grouping' ->> 'version')::int, 2) = 2
    AND coalesce((settings::jsonb -> 'grouping' ->> 'previousUntil')::float8, 0) < extract(epoch FROM now());
-- Without issues there is nothing to split, but what was left out meant the second.
UPDATE project SET settings = jsonb_set(settings::jsonb, '{grouping,version}', '2')::text
WHERE settings::jsonb -> 'grouping' IS NOT NULL AND settings::jsonb -> 'grouping' ->> 'version' IS NULL;
