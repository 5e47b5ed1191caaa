-- How busy was each worker, per hour? 1 means that every slot was in use all the time. An attempt counts in each
-- hour that it overlaps, by the overlap.
-- :hours  hours before the newest attempt (default 24)
SELECT hour_epoch, worker, SUM(n) AS n, SUM(busy_sum_s) / (3600.0 * MAX(concurrency_max)) AS busy
FROM v_worker
WHERE hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - (/*:hours*/ 24 - 1) * 3600
    AND hour_epoch <= (SELECT MAX(started_epoch) FROM task_run)
GROUP BY hour_epoch, worker
ORDER BY hour_epoch, worker;
