-- What does loading a model cost? Cold attempts waited for a model to load, warm ones had it.
-- :days  days before the hour of the newest attempt (default 30); includes attempts that were trimmed
SELECT task_name, engine, device,
    SUM(CASE WHEN cold_start = 1 THEN n ELSE 0 END) AS n_cold,
    SUM(CASE WHEN cold_start = 0 THEN n ELSE 0 END) AS n_warm,
    SUM(CASE WHEN cold_start = 1 THEN run_sum_s END) / NULLIF(SUM(CASE WHEN cold_start = 1 THEN n_run END), 0)
        AS run_cold_mean_s,
    SUM(CASE WHEN cold_start = 0 THEN run_sum_s END) / NULLIF(SUM(CASE WHEN cold_start = 0 THEN n_run END), 0)
        AS run_warm_mean_s,
    SUM(model_load_sum_s) / NULLIF(SUM(n_model_load), 0) AS model_load_mean_s,
    MAX(model_load_max_s) AS model_load_max_s
FROM v_outcome
WHERE state = 'SUCCESS' AND engine IS NOT NULL
    AND hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - /*:days*/ 30 * 86400
GROUP BY task_name, engine, device
ORDER BY task_name, engine, device;
