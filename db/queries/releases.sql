-- Did a new version of the code get slower? Median run time per audio second, warm attempts only.
-- By default the newest version is compared with the previous one.
-- :old   the earlier version (default: the second newest)
-- :new   the later version (default: the newest)
-- :days  days before the newest attempt (default 30)
WITH RECURSIVE seen(app_version) AS (
    SELECT MIN(app_version) FROM task_run
    UNION ALL
    SELECT (SELECT MIN(t.app_version) FROM task_run t WHERE t.app_version > seen.app_version)
    FROM seen
    WHERE app_version IS NOT NULL
),
ages AS (
    SELECT app_version,
        (SELECT MAX(t.started_epoch) FROM task_run t WHERE t.app_version = seen.app_version) AS newest_epoch
    FROM seen
    WHERE app_version IS NOT NULL
),
versions AS (
    SELECT app_version, ROW_NUMBER() OVER (ORDER BY newest_epoch DESC, app_version DESC) AS age
    FROM ages
),
chosen AS (
    SELECT
        COALESCE(/*:old*/ NULL, (SELECT app_version FROM versions WHERE age = 2)) AS old_version,
        COALESCE(/*:new*/ NULL, (SELECT app_version FROM versions WHERE age = 1)) AS new_version
),
runs AS (
    SELECT app_version, task_name, engine, device, rtf,
        ROW_NUMBER() OVER same AS place,
        COUNT(*) OVER same AS n
    FROM task_run
    WHERE state = 'SUCCESS' AND rtf IS NOT NULL AND cold_start = 0
        AND app_version IN ((SELECT old_version FROM chosen), (SELECT new_version FROM chosen))
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    WINDOW same AS (
        PARTITION BY app_version, task_name, engine, device ORDER BY rtf
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
),
medians AS (
    SELECT app_version, task_name, engine, device, n, rtf AS rtf_p50
    FROM runs
    WHERE place = (50 * n + 99) / 100
)
SELECT a.task_name, a.engine, a.device, a.app_version AS old_version, b.app_version AS new_version,
    a.n AS n_old, b.n AS n_new, a.rtf_p50 AS rtf_p50_old, b.rtf_p50 AS rtf_p50_new,
    100.0 * (b.rtf_p50 / a.rtf_p50 - 1) AS change_pct
FROM chosen
JOIN medians a ON a.app_version = chosen.old_version
JOIN medians b ON b.app_version = chosen.new_version AND b.task_name = a.task_name
    AND COALESCE(b.engine, '') = COALESCE(a.engine, '') AND COALESCE(b.device, '') = COALESCE(a.device, '')
ORDER BY change_pct DESC, a.task_name, a.engine, a.device;
