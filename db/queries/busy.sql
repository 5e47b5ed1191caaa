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
        AND finished_epoch IS NOT NULL
)
SELECT h.start_epoch AS hour_epoch, t.worker, COUNT(*) AS n,
    SUM(CASE
        WHEN t.started_epoch >= h.start_epoch AND t.finished_epoch < h.start_epoch + 3600 THEN t.run_s
        ELSE 1.0
            * ((CASE WHEN t.finished_epoch < h.start_epoch + 3600 THEN t.finished_epoch ELSE h.start_epoch + 3600 END)
                - (CASE WHEN t.started_epoch > h.start_epoch THEN t.started_epoch ELSE h.start_epoch END))
    END) / (3600.0 * MAX(t.concurrency)) AS busy
FROM hours h
JOIN recent t ON t.started_epoch < h.start_epoch + 3600 AND t.finished_epoch >= h.start_epoch
GROUP BY h.start_epoch, t.worker
ORDER BY h.start_epoch, t.worker;
