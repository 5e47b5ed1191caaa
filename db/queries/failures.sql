-- What did unsuccessful attempts cost?
-- Energy includes measured attempts only; energy_measured_share is their share.
-- :days  days before the newest attempt (default 30)
-- :top   number of lines (default 20)
SELECT task_name, state, exc_type, COUNT(*) AS n,
    SUM(run_s) AS lost_s,
    SUM(gpu_active_s) AS lost_gpu_s,
    SUM(COALESCE(gpu_energy_j + cpu_energy_j, gpu_energy_j, cpu_energy_j)) / 3600 AS lost_wh,
    COUNT(COALESCE(gpu_energy_j, cpu_energy_j)) * 1.0 / COUNT(*) AS energy_measured_share
FROM task_run
WHERE state <> 'SUCCESS'
    AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
GROUP BY task_name, state, exc_type
ORDER BY lost_s DESC, task_name, state, exc_type
LIMIT /*:top*/ 20;
