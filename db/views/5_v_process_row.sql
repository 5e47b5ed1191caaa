-- Every attempt with the columns of rollup_process.
SELECT
    t.id,
    t.started_epoch,
    (t.started_epoch / 3600) * 3600 AS hour_epoch,
    t.task_name,
    t.worker,
    t.worker_pid,
    1 AS n,
    1.0 * t.child_seq AS seq_sum,
    1.0 * t.rss_start_bytes AS rss_start_sum,
    1.0 * t.child_seq * t.rss_start_bytes AS seq_rss_sum,
    1.0 * t.child_seq * t.child_seq AS seq_seq_sum,
    t.rss_start_bytes AS rss_start_max_bytes,
    t.rss_start_bytes AS rss_start_min_bytes
FROM task_run t
WHERE t.started_epoch IS NOT NULL AND t.rss_start_bytes IS NOT NULL AND t.child_seq IS NOT NULL;
