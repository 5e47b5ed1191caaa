-- How much memory does each task need? Only attempts with an exact peak count.
-- :days  days before the newest attempt (default 30)
WITH peaks AS (
    SELECT task_name, rss_peak_bytes, mem_limit_bytes,
        ROW_NUMBER() OVER same AS place,
        COUNT(*) OVER same AS n
    FROM task_run
    WHERE rss_peak_method IN ('hwm_reset', 'hwm_rose')
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    WINDOW same AS (
        PARTITION BY task_name ORDER BY rss_peak_bytes
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
)
SELECT task_name, MAX(n) AS n,
    MIN(CASE WHEN 100 * place >= 50 * n THEN rss_peak_bytes END) / 1048576 AS p50_mib,
    MIN(CASE WHEN 100 * place >= 99 * n THEN rss_peak_bytes END) / 1048576 AS p99_mib,
    MAX(rss_peak_bytes) / 1048576 AS max_mib,
    100.0 * MAX(rss_peak_bytes) / MAX(mem_limit_bytes) AS max_pct_of_limit
FROM peaks
WHERE place IN ((50 * n + 99) / 100, (99 * n + 99) / 100, n)
GROUP BY task_name
ORDER BY max_mib DESC, task_name;
