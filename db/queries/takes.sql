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
)
SELECT made.engine,
    CASE WHEN made.findings = '' THEN 'passed' ELSE made.findings END AS findings,
    COUNT(*) AS takes,
    AVG(made.score) AS score,
    SUM(CASE WHEN made.findings <> '' AND next.take IS NOT NULL THEN 1 ELSE 0 END) AS made_again,
    SUM(CASE WHEN made.findings <> '' AND next.findings = '' THEN 1 ELSE 0 END) AS replaced,
    SUM(CASE WHEN made.findings <> '' THEN next.run_s END) AS next_run_s,
    SUM(CASE WHEN made.findings <> '' THEN next.cpu_s END) AS next_cpu_s
FROM made
LEFT JOIN made AS next ON next.job = made.job AND next.segment = made.segment AND next.take = made.take + 1
WHERE made.findings IS NOT NULL
GROUP BY made.engine, CASE WHEN made.findings = '' THEN 'passed' ELSE made.findings END
ORDER BY takes DESC, made.engine, findings;
