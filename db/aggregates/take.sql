-- Takes by hour, engine and findings, as differences: the segments of these attempts are counted with them (sign 1),
-- and what they counted before is subtracted (sign -1). The hour is that of a take's first attempt. Times are those of
-- the next take.
WITH touched AS (
    SELECT DISTINCT job, segment
    FROM task_run
    WHERE id BETWEEN /*:first*/ 1 AND /*:last*/ 0 AND take < 100 AND state = 'SUCCESS'
        AND job IS NOT NULL AND segment IS NOT NULL
),
sides AS (
    SELECT -1 AS sign, /*:first*/ 1 - 1 AS through_id
    UNION ALL
    SELECT 1, /*:last*/ 0
),
made AS (
    SELECT sides.sign, t.job, t.segment, t.take, MIN(t.started_epoch) / 3600 * 3600 AS hour_epoch,
        MAX(CASE WHEN t.task_name = 'voxchord.verify' THEN t.engine END) AS engine,
        MAX(CASE WHEN t.task_name = 'voxchord.verify' THEN t.findings END) AS findings,
        MAX(CASE WHEN t.task_name = 'voxchord.verify' THEN t.score END) AS score,
        SUM(t.run_s) AS run_s,
        SUM(t.cpu_user_s + t.cpu_system_s + COALESCE(t.cpu_children_s, 0)) AS cpu_s
    FROM touched
    JOIN task_run t ON t.job = touched.job AND t.segment = touched.segment
    JOIN sides ON t.id <= sides.through_id
    WHERE t.take < 100 AND t.state = 'SUCCESS'
    GROUP BY sides.sign, t.job, t.segment, t.take
    -- not above: PostgreSQL 18 expects a search of the index by all its columns up to this one, and scans the table
    HAVING MIN(t.started_epoch) IS NOT NULL
),
pairs AS (
    SELECT sign, hour_epoch, engine, findings, score,
        CASE WHEN findings <> '' AND LEAD(take) OVER same = take + 1 THEN sign ELSE 0 END AS again,
        LEAD(findings) OVER same AS next_findings,
        LEAD(run_s) OVER same AS next_run_s, LEAD(cpu_s) OVER same AS next_cpu_s
    FROM made
    WINDOW same AS (PARTITION BY sign, job, segment ORDER BY take)
)
SELECT hour_epoch, engine, findings,
    SUM(sign) AS n,
    SUM(CASE WHEN score IS NULL THEN 0 ELSE sign END) AS n_score,
    SUM(sign * score) AS score_sum,
    SUM(again) AS n_made_again,
    SUM(CASE WHEN next_findings = '' THEN again ELSE 0 END) AS n_replaced,
    SUM(CASE WHEN again <> 0 THEN again * next_run_s END) AS next_run_sum_s,
    SUM(CASE WHEN again <> 0 THEN again * next_cpu_s END) AS next_cpu_sum_s
FROM pairs
WHERE findings IS NOT NULL
GROUP BY hour_epoch, engine, findings;
