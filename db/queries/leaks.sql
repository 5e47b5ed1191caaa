-- Does a process grow from task to task? Least-squares slope of the memory at an attempt's start over its number in
-- the process, per process and task. Some noise is normal.
-- :days  days before the hour of the newest attempt (default 30)
-- :min_n fewest attempts of a process (default 20)
-- :top   number of lines (default 20)
SELECT task_name, worker, worker_pid, SUM(n) AS n,
    (SUM(n) * SUM(1.0 * seq_rss_sum) - SUM(1.0 * seq_sum) * SUM(1.0 * rss_start_sum))
        / NULLIF(SUM(n) * SUM(1.0 * seq_seq_sum) - SUM(1.0 * seq_sum) * SUM(1.0 * seq_sum), 0) AS bytes_per_attempt,
    MAX(rss_start_max_bytes) - MIN(rss_start_min_bytes) AS spread_bytes
FROM v_process
WHERE hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - /*:days*/ 30 * 86400
GROUP BY task_name, worker, worker_pid
HAVING SUM(n) >= /*:min_n*/ 20
ORDER BY bytes_per_attempt DESC, task_name, worker, worker_pid
LIMIT /*:top*/ 20;
