-- Every attempt with the columns of rollup_request.
SELECT
    t.id,
    t.started_epoch,
    (t.started_epoch / 3600) * 3600 AS hour_epoch,
    t.root_id,
    t.started_epoch AS first_epoch,
    t.finished_epoch AS last_epoch
FROM task_run t
WHERE t.started_epoch IS NOT NULL AND t.root_id IS NOT NULL;
