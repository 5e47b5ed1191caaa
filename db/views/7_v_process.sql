-- rollup_process, and the attempts that it does not include yet.
SELECT hour_epoch, task_name, worker, worker_pid, n, seq_sum, rss_start_sum, seq_rss_sum, seq_seq_sum,
    rss_start_max_bytes, rss_start_min_bytes
FROM rollup_process
UNION ALL
SELECT hour_epoch, task_name, worker, worker_pid, n, seq_sum, rss_start_sum, seq_rss_sum, seq_seq_sum,
    rss_start_max_bytes, rss_start_min_bytes
FROM v_process_row
WHERE id BETWEEN (SELECT through_id + 1 FROM rollup_mark WHERE name = 'task_run') AND (SELECT MAX(id) FROM task_run);
