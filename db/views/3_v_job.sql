-- Every job with its cost so far.
SELECT
    j.*,
    c.attempts,
    c.wasted_attempts,
    c.run_s,
    c.cpu_s,
    c.queue_wait_s,
    c.rss_peak_bytes
FROM job j
LEFT JOIN (
    SELECT
        job,
        COUNT(*) AS attempts,
        SUM(CASE WHEN state IN ('SUCCESS', 'IGNORED') THEN 0 ELSE 1 END) AS wasted_attempts,
        SUM(run_s) AS run_s,
        SUM(cpu_user_s + cpu_system_s + COALESCE(cpu_children_s, 0)) AS cpu_s,
        SUM(queue_wait_s) AS queue_wait_s,
        MAX(rss_peak_bytes) AS rss_peak_bytes
    FROM task_run
    GROUP BY job
) c ON c.job = j.id;
