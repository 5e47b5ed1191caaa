-- What was wrong with takes, and what did other takes cost?
-- A line per engine and combination of findings: takes that failed so, those in whose place the next take passed,
-- and the run and CPU time of decoding and checking the next takes. Takes by hand (from 100 on) do not count.
-- :days  days before the hour of the newest attempt (default 30); includes attempts that were trimmed
SELECT engine, CASE WHEN findings = '' THEN 'passed' ELSE findings END AS findings,
    SUM(n) AS takes,
    SUM(score_sum) / NULLIF(SUM(n_score), 0) AS score,
    SUM(n_made_again) AS made_again,
    SUM(n_replaced) AS replaced,
    CASE WHEN SUM(n_made_again) > 0 THEN SUM(next_run_sum_s) END AS next_run_s,
    CASE WHEN SUM(n_made_again) > 0 THEN SUM(next_cpu_sum_s) END AS next_cpu_s
FROM v_take
WHERE hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - /*:days*/ 30 * 86400
GROUP BY engine, v_take.findings
HAVING SUM(n) > 0
ORDER BY takes DESC, engine, v_take.findings;
