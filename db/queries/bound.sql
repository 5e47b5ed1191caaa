-- What limits each task? gpu: a kernel ran for 60 % of the time; cpu: its CPU time is 80 % of it; starved: it was
-- runnable with no free core for 20 %; waiting: for a disk, the network, a lock or another process.
-- If attempts overlap in a process, all shares refer to their share of the time.
-- :days  days before the newest attempt (default 30)
SELECT task_name,
    CASE
        WHEN gpu_active_s >= 0.6 * share_s THEN 'gpu'
        WHEN cpu_user_s + cpu_system_s + COALESCE(cpu_children_s, 0) >= 0.8 * share_s THEN 'cpu'
        WHEN cpu_wait_s >= 0.2 * share_s THEN 'starved'
        ELSE 'waiting'
    END AS bound_by,
    COUNT(*) AS n, SUM(run_s) AS run_s,
    COUNT(gpu_active_s) * 1.0 / COUNT(*) AS gpu_measured_share
FROM task_run
WHERE share_s > 0 AND cpu_user_s IS NOT NULL
    AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
GROUP BY 1, 2
ORDER BY run_s DESC, 1, 2;
