-- rollup_request, and the attempts that it does not include yet.
SELECT hour_epoch, root_id, first_epoch, last_epoch
FROM rollup_request
UNION ALL
SELECT hour_epoch, root_id, first_epoch, last_epoch
FROM v_request_row
WHERE id BETWEEN (SELECT COALESCE(MAX(through_id), 0) + 1 FROM rollup_mark) AND (SELECT MAX(id) FROM task_run);
