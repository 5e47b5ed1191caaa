-- rollup_request, and the attempts that it does not include yet.
SELECT hour_epoch, root_id, first_epoch, last_epoch
FROM rollup_request
UNION ALL
SELECT hour_epoch, root_id, first_epoch, last_epoch
FROM v_request_row
WHERE id BETWEEN (SELECT through_id + 1 FROM rollup_mark WHERE name = 'task_run') AND (SELECT MAX(id) FROM task_run);
