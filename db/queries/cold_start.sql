-- What does loading a model cost the attempt that does it?
-- :days  how far to look back from the newest attempt (default 30)
SELECT task_name, engine, device, cold_start, COUNT(*) AS n,
    AVG(run_s) AS run_mean_s, AVG(model_load_s) AS model_load_mean_s, MAX(model_load_s) AS model_load_max_s
FROM task_run
WHERE state = 'SUCCESS' AND engine IS NOT NULL
    AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
GROUP BY task_name, engine, device, cold_start
ORDER BY task_name, engine, device, cold_start;
