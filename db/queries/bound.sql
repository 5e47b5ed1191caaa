-- What limits each task? gpu: a kernel ran for 60 % of the time; cpu: its CPU time is 80 % of it; starved: it was
-- runnable with no free core for 20 %; waiting: for a disk, the network, a lock or another process.
-- If attempts overlap in a process, all shares refer to their share of the time.
-- :days  days before the hour of the newest attempt (default 30); includes attempts that were trimmed
SELECT task_name, bound_by, SUM(n) AS n, SUM(run_sum_s) AS run_s, SUM(n_gpu_active) * 1.0 / SUM(n) AS gpu_measured_share
FROM v_outcome
WHERE bound_by IS NOT NULL
    AND hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - /*:days*/ 30 * 86400
GROUP BY task_name, bound_by
ORDER BY run_s DESC, 1, 2;
