-- How much memory does each task need? Only attempts with an exact peak count.
-- Attempts are counted, and each percentile is found at its place in the index, from the end that is nearer.
-- :days  days before the newest attempt (default 30)
WITH counted AS (
    SELECT task_name, COUNT(rss_peak_bytes) AS n
    FROM task_run
    WHERE rss_peak_method IN ('hwm_reset', 'hwm_rose')
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    GROUP BY task_name
),
places AS (
    SELECT counted.*, pct, (pct * n + 99) / 100 AS place
    FROM counted CROSS JOIN (VALUES (50), (99), (100)) percentiles (pct)
    WHERE n > 0
)
SELECT p.task_name, MAX(p.n) AS n,
    MAX(CASE WHEN pct = 50 THEN v.rss_peak_bytes END) / 1048576 AS p50_mib,
    MAX(CASE WHEN pct = 99 THEN v.rss_peak_bytes END) / 1048576 AS p99_mib,
    MAX(v.rss_peak_bytes) / 1048576 AS max_mib,
    100.0 * MAX(v.rss_peak_bytes) / MAX(v.mem_limit_bytes) AS max_pct_of_limit
FROM places p CROSS JOIN LATERAL (
    (SELECT t.rss_peak_bytes, t.mem_limit_bytes
    FROM task_run t
    WHERE p.pct = 50 AND t.task_name = p.task_name AND t.rss_peak_bytes IS NOT NULL
        AND t.rss_peak_method IN ('hwm_reset', 'hwm_rose')
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    ORDER BY t.rss_peak_bytes OFFSET p.place - 1 LIMIT 1)
    UNION ALL
    (SELECT t.rss_peak_bytes, t.mem_limit_bytes
    FROM task_run t
    WHERE p.pct <> 50 AND t.task_name = p.task_name AND t.rss_peak_bytes IS NOT NULL
        AND t.rss_peak_method IN ('hwm_reset', 'hwm_rose')
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    ORDER BY t.rss_peak_bytes DESC OFFSET p.n - p.place LIMIT 1)
) v
GROUP BY p.task_name
ORDER BY max_mib DESC, p.task_name;
