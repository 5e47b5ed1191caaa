-- How much memory does each task need? Only attempts with an exact peak count. Percentiles are by nearest rank.
-- :days  days before the hour of the newest attempt (default 30)
WITH counted AS (
    SELECT task_name, peak_mib, SUM(n) AS n, MAX(limit_max_pct) AS limit_max_pct
    FROM v_memory
    WHERE hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - /*:days*/ 30 * 86400
    GROUP BY task_name, peak_mib
),
places AS (
    SELECT task_name, peak_mib, limit_max_pct,
        SUM(n) OVER (PARTITION BY task_name ORDER BY peak_mib ROWS UNBOUNDED PRECEDING) AS place,
        SUM(n) OVER (PARTITION BY task_name) AS n
    FROM counted
)
SELECT task_name, MAX(n) AS n,
    MIN(CASE WHEN 100 * place >= 50 * n THEN peak_mib END) AS p50_mib,
    MIN(CASE WHEN 100 * place >= 99 * n THEN peak_mib END) AS p99_mib,
    MAX(peak_mib) AS max_mib,
    MAX(limit_max_pct) AS max_pct_of_limit
FROM places
GROUP BY task_name
ORDER BY max_mib DESC, task_name;
