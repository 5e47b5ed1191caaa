-- How many processes and devices does a daily amount of audio need, by past attempts?
-- A prefork process is busy while an attempt runs, including failed ones; a device with a thread pool is busy while
-- at least one attempt runs, in whole seconds.
-- :hours  hours of audio per day (default 100)
-- :use    target utilisation (default 0.7)
-- :days   days before the newest attempt (default 30)
WITH recent AS (
    SELECT engine, task_name, COALESCE(device, '') AS device, COALESCE(pool, '') AS pool, worker, state,
        COALESCE(cache_hit, 0) AS cache_hit, audio_s, run_s, started_epoch, finished_epoch
    FROM task_run
    WHERE engine IS NOT NULL AND run_s IS NOT NULL AND finished_epoch IS NOT NULL
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
),
ordered AS (
    SELECT recent.*, MAX(finished_epoch) OVER (
        PARTITION BY engine, task_name, device, pool, worker ORDER BY started_epoch, finished_epoch
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS busy_until
    FROM recent
),
cost AS (
    SELECT engine, task_name, device, pool, COUNT(*) AS n,
        SUM(CASE
            WHEN pool <> 'threads' THEN run_s
            WHEN busy_until IS NULL OR busy_until <= started_epoch THEN 1.0 * (finished_epoch - started_epoch)
            WHEN busy_until < finished_epoch THEN 1.0 * (finished_epoch - busy_until)
            ELSE 0.0
        END) AS busy_s
    FROM ordered
    GROUP BY engine, task_name, device, pool
),
made AS (
    SELECT engine, device, pool, SUM(audio_s) AS audio_s
    FROM recent
    WHERE task_name = 'voxchord.diffusion' AND state = 'SUCCESS' AND cache_hit = 0 AND audio_s > 0
    GROUP BY engine, device, pool
),
whole AS (
    SELECT engine, SUM(audio_s) AS audio_s FROM made GROUP BY engine
)
SELECT c.engine, c.task_name, c.device, c.pool, c.n,
    COALESCE(m.audio_s, w.audio_s) / 3600.0 AS audio_h,
    c.busy_s * 3600.0 / COALESCE(m.audio_s, w.audio_s) AS busy_s_per_audio_h,
    c.busy_s / COALESCE(m.audio_s, w.audio_s) * /*:hours*/ 100 / (24.0 * /*:use*/ 0.7) AS places
FROM cost c
JOIN whole w ON w.engine = c.engine
LEFT JOIN made m ON c.task_name = 'voxchord.diffusion'
    AND m.engine = c.engine AND m.device = c.device AND m.pool = c.pool
ORDER BY places DESC, c.engine, c.task_name, c.device;
