-- How long do tasks wait, per queue and hour: in the broker, or prefetched by a worker?
-- Time before an ETA and a retry's back-off do not count.
-- :days    days before the newest attempt (default 30)
-- :long_s  threshold of a long wait, in seconds (default 10)
-- :top     number of lines, newest hour first (default 48)
WITH RECURSIVE hours(hour_epoch, place) AS (
    SELECT MAX(started_epoch) / 3600 * 3600, 1 FROM task_run
    UNION ALL
    SELECT (SELECT MAX(started_epoch) FROM task_run WHERE started_epoch < hour_epoch) / 3600 * 3600, place + 1
    FROM hours
    WHERE hour_epoch IS NOT NULL AND place < /*:top*/ 48
)
SELECT queue, (started_epoch / 3600) * 3600 AS hour_epoch, COUNT(*) AS n,
    AVG(broker_wait_s) AS broker_wait_mean_s,
    AVG(prefetch_wait_s) AS prefetch_wait_mean_s,
    MAX(queue_wait_s) AS queue_wait_max_s,
    AVG(CASE WHEN queue_wait_s > /*:long_s*/ 10 THEN 1.0 WHEN queue_wait_s IS NOT NULL THEN 0.0 END)
        AS share_too_long,
    COUNT(queue_wait_s) * 1.0 / COUNT(*) AS measured_share
FROM task_run
WHERE started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    AND started_epoch >= (SELECT MIN(hour_epoch) FROM hours)
GROUP BY queue, (started_epoch / 3600) * 3600
ORDER BY hour_epoch DESC, queue
LIMIT /*:top*/ 48;
