-- Which requests took longest from their first start to their last end, and how much run time did they need?
-- :days  days before the newest attempt (default 30)
-- :top   number of lines (default 20)
WITH longest AS (
    SELECT root_id, MAX(finished_epoch) - MIN(started_epoch) AS span_s
    FROM task_run
    WHERE root_id IS NOT NULL
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
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
