-- How fast is each engine? Run time per second of audio (rtf): below 1 is faster than real time.
-- Percentiles are by nearest rank, so they are values that occurred.
-- :days  days before the newest attempt (default 30)
WITH runs AS (
    SELECT task_name, engine, device, rtf,
        ROW_NUMBER() OVER same AS place,
        COUNT(*) OVER same AS n
    FROM task_run
    WHERE state = 'SUCCESS' AND rtf IS NOT NULL
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    WINDOW same AS (
        PARTITION BY task_name, engine, device ORDER BY rtf
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
)
SELECT task_name, engine, device, MAX(n) AS n,
    MIN(CASE WHEN 100 * place >= 50 * n THEN rtf END) AS rtf_p50,
    MIN(CASE WHEN 100 * place >= 95 * n THEN rtf END) AS rtf_p95,
    MIN(CASE WHEN 100 * place >= 99 * n THEN rtf END) AS rtf_p99
FROM runs
WHERE place IN ((50 * n + 99) / 100, (95 * n + 99) / 100, (99 * n + 99) / 100)
GROUP BY task_name, engine, device
ORDER BY rtf_p95 DESC, task_name, engine, device;
