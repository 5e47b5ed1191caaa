-- How busy was each worker, per hour? 1 means that every slot was in use all the time. An attempt counts in each
-- hour that it overlaps, by the overlap.
-- :hours  hours before the newest attempt (default 24)
WITH RECURSIVE hours(start_epoch) AS (
    SELECT (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - (/*:hours*/ 24 - 1) * 3600
    UNION ALL
    SELECT start_epoch + 3600 FROM hours
    WHERE start_epoch + 3600 <= (SELECT MAX(started_epoch) FROM task_run)
),
recent AS (
    SELECT worker, concurrency, run_s, started_epoch, finished_epoch
    FROM task_run
    WHERE started_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - (/*:hours*/ 24 + 24) * 3600
        -- always true: with one bound alone PostgreSQL expects a third of the table, and scans all of it
        AND started_epoch <= (SELECT MAX(started_epoch) FROM task_run)
        AND finished_epoch IS NOT NULL
),
spread AS (
    SELECT started_epoch / 3600 * 3600 AS hour_epoch, worker, concurrency, run_s AS busy_s
    FROM recent
    WHERE started_epoch / 3600 = finished_epoch / 3600
    UNION ALL
    SELECT h.start_epoch, t.worker, t.concurrency, 1.0
        * ((CASE WHEN t.finished_epoch < h.start_epoch + 3600 THEN t.finished_epoch ELSE h.start_epoch + 3600 END)
            - (CASE WHEN t.started_epoch > h.start_epoch THEN t.started_epoch ELSE h.start_epoch END))
    FROM hours h
    JOIN recent t ON t.started_epoch < h.start_epoch + 3600 AND t.finished_epoch >= h.start_epoch
    WHERE t.started_epoch / 3600 <> t.finished_epoch / 3600
)
SELECT hour_epoch, worker, COUNT(*) AS n, SUM(busy_s) / (3600.0 * MAX(concurrency)) AS busy
FROM spread
WHERE hour_epoch >= (SELECT MIN(start_epoch) FROM hours)
GROUP BY hour_epoch, worker
ORDER BY hour_epoch, worker;
