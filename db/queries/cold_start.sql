-- What does loading a model cost? Cold attempts waited for a model to load, warm ones had it.
-- :days  days before the newest attempt (default 30)
SELECT task_name, engine, device,
    SUM(CASE WHEN cold_start = 1 THEN 1 ELSE 0 END) AS n_cold,
    SUM(CASE WHEN cold_start = 0 THEN 1 ELSE 0 END) AS n_warm,
    AVG(CASE WHEN cold_start = 1 THEN run_s END) AS run_cold_mean_s,
    AVG(CASE WHEN cold_start = 0 THEN run_s END) AS run_warm_mean_s,
    AVG(model_load_s) AS model_load_mean_s, MAX(model_load_s) AS model_load_max_s
FROM task_run
WHERE state = 'SUCCESS' AND engine IS NOT NULL
    AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
GROUP BY task_name, engine, device
ORDER BY task_name, engine, device;
