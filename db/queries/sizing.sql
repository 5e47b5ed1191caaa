-- How many processes and devices does a daily amount of audio need, by past attempts?
-- A prefork process is busy while an attempt runs, including failed ones; a device with a thread pool is busy while
-- at least one attempt runs, in whole seconds.
-- :hours  hours of audio per day (default 100)
-- :use    target utilisation (default 0.7)
-- :days   days before the hour of the newest attempt (default 30)
WITH since AS (
    SELECT MAX(started_epoch) / 3600 * 3600 - /*:days*/ 30 * 86400 AS epoch FROM task_run
),
overlapping AS (
    SELECT engine, task_name, device, started_epoch, finished_epoch, MAX(finished_epoch) OVER (
        PARTITION BY task_name, engine, device, worker ORDER BY started_epoch, finished_epoch
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS busy_until
    FROM task_run
    WHERE pool = 'threads' AND engine IS NOT NULL AND run_s IS NOT NULL AND finished_epoch IS NOT NULL
        AND started_epoch >= (SELECT epoch FROM since)
),
cost AS (
    SELECT engine, task_name, COALESCE(device, '') AS device, COALESCE(pool, '') AS pool, SUM(n_ended) AS n,
        SUM(ended_run_sum_s) AS busy_s
    FROM v_outcome
    WHERE (pool <> 'threads' OR pool IS NULL) AND engine IS NOT NULL AND n_ended > 0
        AND hour_epoch >= (SELECT epoch FROM since)
    GROUP BY task_name, engine, v_outcome.device, v_outcome.pool
    UNION ALL
    SELECT engine, task_name, COALESCE(device, ''), 'threads', COUNT(*),
        SUM(CASE
            WHEN busy_until IS NULL OR busy_until <= started_epoch THEN 1.0 * (finished_epoch - started_epoch)
            WHEN busy_until < finished_epoch THEN 1.0 * (finished_epoch - busy_until)
            ELSE 0.0
        END)
    FROM overlapping
    GROUP BY task_name, engine, overlapping.device
),
made AS (
    SELECT engine, COALESCE(device, '') AS device, COALESCE(pool, '') AS pool, SUM(made_audio_sum_s) AS audio_s
    FROM v_outcome
    WHERE made_audio_sum_s > 0 AND engine IS NOT NULL AND hour_epoch >= (SELECT epoch FROM since)
    GROUP BY engine, v_outcome.device, v_outcome.pool
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
