-- What did a job cost, and why was it slow? One line per task, by run time.
-- slots_mean: attempts running at once on average; waited_per_run_s: mean queue wait; starved_s: time runnable with
-- no free core; wasted_s: run time of unsuccessful attempts.
-- :job  job ID (default: the newest)
WITH chosen AS (
    SELECT COALESCE(/*:job*/ NULL, (SELECT id FROM job ORDER BY created_epoch DESC, id DESC LIMIT 1)) AS id
),
span AS (
    SELECT MIN(started_epoch) AS started, MAX(finished_epoch) AS finished
    FROM task_run
    WHERE job = (SELECT id FROM chosen)
)
SELECT t.task_name,
    COUNT(*) AS attempts,
    COUNT(DISTINCT t.segment) AS segments,
    SUM(t.run_s) AS run_s,
    100.0 * SUM(t.run_s) / NULLIF((SELECT SUM(run_s) FROM task_run WHERE job = (SELECT id FROM chosen)), 0)
        AS share_of_run_pct,
    SUM(t.run_s) / NULLIF(MAX(t.finished_epoch) - MIN(t.started_epoch), 0) AS slots_mean,
    SUM(t.cpu_user_s + t.cpu_system_s + t.cpu_children_s) AS cpu_s,
    SUM(t.cpu_wait_s) AS starved_s,
    SUM(t.gpu_active_s) AS gpu_active_s,
    AVG(t.queue_wait_s) AS waited_per_run_s,
    MAX(t.queue_wait_s) AS queue_wait_max_s,
    SUM(CASE WHEN t.state IN ('SUCCESS', 'IGNORED') THEN 0 ELSE t.run_s END) AS wasted_s,
    SUM(t.model_load_s) AS model_load_s,
    SUM(CASE WHEN t.cache_hit = 1 THEN 1 ELSE 0 END) AS cache_hits,
    SUM(CASE WHEN t.state = 'SUCCESS' THEN t.audio_s END) AS audio_s,
    MAX(t.rss_peak_bytes) / 1048576 AS peak_mib,
    MIN(t.started_epoch) - (SELECT started FROM span) AS first_start_s,
    MAX(t.finished_epoch) - (SELECT started FROM span) AS last_end_s
FROM task_run t
WHERE t.job = (SELECT id FROM chosen)
GROUP BY t.task_name
ORDER BY run_s DESC, t.task_name;
