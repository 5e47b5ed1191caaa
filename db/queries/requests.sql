-- Which requests took longest from their first start to their last end, and how much run time did they need?
-- :days  days before the hour of the newest attempt (default 30)
-- :top   number of lines (default 20)
WITH longest AS (
    SELECT root_id, MAX(last_epoch) - MIN(first_epoch) AS span_s
    FROM v_request
    WHERE hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - /*:days*/ 30 * 86400
        AND hour_epoch >= (SELECT MIN(started_epoch) FROM task_run) / 3600 * 3600
    GROUP BY root_id
    ORDER BY span_s DESC, root_id
    LIMIT /*:top*/ 20
)
SELECT t.root_id, MAX(t.job) AS job,
    COUNT(DISTINCT t.task_id) AS tasks, COUNT(*) AS attempts,
    MAX(t.finished_epoch) - MIN(t.started_epoch) AS span_s,
    SUM(t.run_s) AS run_s,
    SUM(t.run_s) / NULLIF(MAX(t.finished_epoch) - MIN(t.started_epoch), 0) AS slots_used_mean,
    MAX(t.rss_peak_bytes) AS rss_peak_bytes
FROM longest
JOIN task_run t ON t.root_id = longest.root_id
GROUP BY t.root_id
ORDER BY span_s DESC, t.root_id;
