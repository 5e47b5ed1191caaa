-- Attempts by hour, task and peak memory in MiB. Only exact peaks count.
SELECT started_epoch / 3600 * 3600 AS hour_epoch, task_name, rss_peak_bytes / 1048576 AS peak_mib,
    COUNT(*) AS n,
    MAX(rss_peak_bytes) AS rss_peak_max_bytes,
    MAX(100.0 * rss_peak_bytes / NULLIF(mem_limit_bytes, 0)) AS limit_max_pct
FROM task_run
WHERE id BETWEEN /*:first*/ 1 AND /*:last*/ 0
    AND started_epoch IS NOT NULL AND rss_peak_bytes IS NOT NULL AND rss_peak_method IN ('hwm_reset', 'hwm_rose')
GROUP BY started_epoch / 3600 * 3600, task_name, rss_peak_bytes / 1048576;
