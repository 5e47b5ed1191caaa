-- Busy time of each worker by hour. An attempt counts in each hour that it overlaps, by the overlap, for two days.
WITH RECURSIVE spread(hour_epoch, worker, concurrency, started_epoch, finished_epoch) AS (
    SELECT started_epoch / 3600 * 3600, worker, concurrency, started_epoch, finished_epoch
    FROM task_run
    WHERE id BETWEEN /*:first*/ 1 AND /*:last*/ 0 AND started_epoch / 3600 < finished_epoch / 3600
    UNION ALL
    SELECT hour_epoch + 3600, worker, concurrency, started_epoch, finished_epoch
    FROM spread
    WHERE hour_epoch + 3600 <= finished_epoch AND hour_epoch + 3600 < started_epoch + 2 * 86400
),
parts AS (
    SELECT started_epoch / 3600 * 3600 AS hour_epoch, worker, concurrency, run_s AS busy_s
    FROM task_run
    WHERE id BETWEEN /*:first*/ 1 AND /*:last*/ 0 AND started_epoch / 3600 = finished_epoch / 3600
    UNION ALL
    SELECT hour_epoch, worker, concurrency, 1.0
        * ((CASE WHEN finished_epoch < hour_epoch + 3600 THEN finished_epoch ELSE hour_epoch + 3600 END)
            - (CASE WHEN started_epoch > hour_epoch THEN started_epoch ELSE hour_epoch END))
    FROM spread
)
SELECT hour_epoch, worker, COUNT(*) AS n, SUM(busy_s) AS busy_sum_s, MAX(concurrency) AS concurrency_max
FROM parts
GROUP BY hour_epoch, worker;
