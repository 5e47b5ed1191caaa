-- What was wrong with takes, and what did other takes cost?
-- A line per engine and combination of findings: takes that failed so, those in whose place the next take passed,
-- and the run and CPU time of decoding and checking the next takes. Takes by hand (from 100 on) do not count.
-- :days  days before the newest attempt (default 30)
WITH made AS (
    SELECT job, segment, take,
        MAX(CASE WHEN task_name = 'voxchord.verify' THEN engine END) AS engine,
        MAX(CASE WHEN task_name = 'voxchord.verify' THEN findings END) AS findings,
        MAX(CASE WHEN task_name = 'voxchord.verify' THEN score END) AS score,
        SUM(run_s) AS run_s,
        SUM(cpu_user_s + cpu_system_s + COALESCE(cpu_children_s, 0)) AS cpu_s
    FROM task_run
    WHERE take < 100 AND state = 'SUCCESS'
        AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
    GROUP BY job, segment, take
),
pairs AS (
    SELECT engine, findings, score,
        CASE WHEN job IS NOT NULL AND segment IS NOT NULL AND LEAD(take) OVER same = take + 1 THEN 1 ELSE 0 END
            AS has_next,
        LEAD(findings) OVER same AS next_findings,
        LEAD(run_s) OVER same AS next_run_s, LEAD(cpu_s) OVER same AS next_cpu_s
    FROM made
    WINDOW same AS (PARTITION BY job, segment ORDER BY take)
)
SELECT engine,
    CASE WHEN findings = '' THEN 'passed' ELSE findings END AS findings,
    COUNT(*) AS takes,
    AVG(score) AS score,
    SUM(CASE WHEN findings <> '' THEN has_next ELSE 0 END) AS made_again,
    SUM(CASE WHEN findings <> '' AND has_next = 1 AND next_findings = '' THEN 1 ELSE 0 END) AS replaced,
    SUM(CASE WHEN findings <> '' AND has_next = 1 THEN next_run_s END) AS next_run_s,
    SUM(CASE WHEN findings <> '' AND has_next = 1 THEN next_cpu_s END) AS next_cpu_s
FROM pairs
WHERE findings IS NOT NULL
GROUP BY engine, CASE WHEN findings = '' THEN 'passed' ELSE findings END
ORDER BY takes DESC, engine, findings;
