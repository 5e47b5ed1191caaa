-- What did unsuccessful attempts cost?
-- Energy includes measured attempts only; energy_measured_share is their share.
-- :days  days before the hour of the newest attempt (default 30); includes attempts that were trimmed
-- :top   number of lines (default 20)
SELECT task_name, state, exc_type, SUM(n) AS n,
    SUM(run_sum_s) AS lost_s,
    SUM(gpu_active_sum_s) AS lost_gpu_s,
    SUM(energy_sum_j) / 3600 AS lost_wh,
    SUM(n_energy) * 1.0 / SUM(n) AS energy_measured_share
FROM v_outcome
WHERE state <> 'SUCCESS'
    AND hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - /*:days*/ 30 * 86400
GROUP BY task_name, state, exc_type
ORDER BY lost_s DESC, task_name, state, exc_type
LIMIT /*:top*/ 20;
