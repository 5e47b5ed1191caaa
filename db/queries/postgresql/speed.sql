-- How fast is each engine? Run time per second of audio (rtf): below 1 is faster than real time.
-- Percentiles are by nearest rank, so they are values that occurred: attempts are counted, and each value is found at
-- its place in the index, from the end that is nearer. The last branch serves unknown engines and devices, for which
-- IS NOT DISTINCT FROM is needed, which uses no index.
-- :days  days before the newest attempt (default 30)
WITH counted AS (
    SELECT task_name, engine, device, COUNT(*) AS n
    FROM task_run
    WHERE state = 'SUCCESS' AND rtf IS NOT NULL
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    GROUP BY task_name, engine, device
),
places AS (
    SELECT counted.*, pct, (pct * n + 99) / 100 AS place
    FROM counted CROSS JOIN (VALUES (50), (95), (99)) percentiles (pct)
)
SELECT p.task_name, p.engine, p.device, MAX(p.n) AS n,
    MAX(CASE WHEN pct = 50 THEN v.rtf END) AS rtf_p50,
    MAX(CASE WHEN pct = 95 THEN v.rtf END) AS rtf_p95,
    MAX(CASE WHEN pct = 99 THEN v.rtf END) AS rtf_p99
FROM places p CROSS JOIN LATERAL (
    (SELECT t.rtf
    FROM task_run t
    WHERE p.pct = 50 AND t.task_name = p.task_name AND t.engine = p.engine AND t.device = p.device
        AND t.state = 'SUCCESS' AND t.rtf IS NOT NULL
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    ORDER BY t.rtf OFFSET p.place - 1 LIMIT 1)
    UNION ALL
    (SELECT t.rtf
    FROM task_run t
    WHERE p.pct <> 50 AND t.task_name = p.task_name AND t.engine = p.engine AND t.device = p.device
        AND t.state = 'SUCCESS' AND t.rtf IS NOT NULL
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    ORDER BY t.rtf DESC OFFSET p.n - p.place LIMIT 1)
    UNION ALL
    (SELECT t.rtf
    FROM task_run t
    WHERE (p.engine IS NULL OR p.device IS NULL) AND t.task_name = p.task_name
        AND t.engine IS NOT DISTINCT FROM p.engine AND t.device IS NOT DISTINCT FROM p.device
        AND t.state = 'SUCCESS' AND t.rtf IS NOT NULL
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    ORDER BY t.rtf OFFSET p.place - 1 LIMIT 1)
) v
GROUP BY p.task_name, p.engine, p.device
ORDER BY rtf_p95 DESC, p.task_name, p.engine, p.device;
