-- One line per day and task, from the hourly aggregates, which reach back further than task_run.
SELECT
    (hour_epoch / 86400) * 86400 AS day_epoch,
    task_name,
    SUM(n) AS n,
    SUM(n_not_success) AS n_not_success,
    SUM(run_sum_s) AS run_sum_s,
    MAX(run_max_s) AS run_max_s,
    SUM(cpu_sum_s) AS cpu_sum_s,
    SUM(queue_wait_sum_s) / NULLIF(SUM(n_queue_wait), 0) AS queue_wait_mean_s,
    MAX(queue_wait_max_s) AS queue_wait_max_s,
    MAX(rss_peak_max_bytes) AS rss_peak_max_bytes,
    SUM(audio_sum_s) AS audio_sum_s
FROM rollup_hour
GROUP BY (hour_epoch / 86400) * 86400, task_name;
