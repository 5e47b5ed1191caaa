-- How long do tasks wait, per queue and hour, and where: in the broker, or taken by a worker but not begun?
-- Time before an ETA and a retry's back-off are no waiting.
-- :days    how far to look back from the newest attempt (default 30)
-- :long_s  a wait that is too long, in seconds (default 10)
-- :top     how many lines, newest hour first (default 48)
SELECT queue, (started_epoch / 3600) * 3600 AS hour_epoch, COUNT(*) AS n,
    AVG(broker_wait_s) AS broker_wait_mean_s,
    AVG(prefetch_wait_s) AS prefetch_wait_mean_s,
    MAX(queue_wait_s) AS queue_wait_max_s,
    AVG(CASE WHEN queue_wait_s > /*:long_s*/ 10 THEN 1.0 WHEN queue_wait_s IS NOT NULL THEN 0.0 END)
        AS share_too_long,
    COUNT(queue_wait_s) * 1.0 / COUNT(*) AS measured_share
FROM task_run
WHERE started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
GROUP BY queue, (started_epoch / 3600) * 3600
ORDER BY hour_epoch DESC, queue
LIMIT /*:top*/ 48;
