-- Does a process grow from task to task? Least-squares slope of the memory at an attempt's start over its number in
-- the process, per process and task. Some noise is normal.
-- :days  days before the newest attempt (default 30)
-- :min_n fewest attempts of a process (default 20)
-- :top   number of lines (default 20)
SELECT task_name, worker, worker_pid, COUNT(*) AS n,
    (COUNT(*) * SUM(1.0 * child_seq * rss_start_bytes) - SUM(1.0 * child_seq) * SUM(1.0 * rss_start_bytes))
        / NULLIF(COUNT(*) * SUM(1.0 * child_seq * child_seq) - SUM(1.0 * child_seq) * SUM(1.0 * child_seq), 0)
        AS bytes_per_attempt,
    MAX(rss_start_bytes) - MIN(rss_start_bytes) AS spread_bytes
FROM task_run
WHERE rss_start_bytes IS NOT NULL AND child_seq IS NOT NULL
    AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
GROUP BY task_name, worker, worker_pid
HAVING COUNT(*) >= /*:min_n*/ 20
ORDER BY bytes_per_attempt DESC, task_name, worker, worker_pid
LIMIT /*:top*/ 20;
