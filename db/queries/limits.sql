-- How much of what was allowed did each task use? Memory of its cgroup, its share of the cores, and the device.
-- memory_pct and gpu_memory_pct are peaks, the others means. A slot's share of the cores is cpus_allowed divided by
-- the worker's slots. Empty: no limit, or not measured.
-- :days  days before the newest attempt (default 1)
WITH used AS (
    SELECT task_name, COUNT(*) AS n,
        100.0 * MAX(1.0 * COALESCE(cgroup_peak_bytes, rss_peak_bytes) / NULLIF(mem_limit_bytes, 0)) AS memory_pct,
        100.0 * SUM(cpu_user_s + cpu_system_s + COALESCE(cpu_children_s, 0))
            / NULLIF(SUM(
                CASE WHEN cpu_user_s IS NOT NULL THEN share_s * cpus_allowed / COALESCE(NULLIF(concurrency, 0), 1) END
            ), 0) AS cpu_pct,
        100.0 * MAX(1.0 * COALESCE(gpu_mem_device_peak_bytes, gpu_mem_reserved_peak_bytes)
            / NULLIF(gpu_mem_total_bytes, 0)) AS gpu_memory_pct,
        100.0 * SUM(gpu_active_s) / NULLIF(SUM(CASE WHEN gpu_active_s IS NOT NULL THEN share_s END), 0)
            AS gpu_active_pct
    FROM task_run
    WHERE started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 1 * 86400
        -- always true: with one bound alone PostgreSQL expects a third of the table, and scans all of it
        AND started_epoch <= (SELECT MAX(started_epoch) FROM task_run)
    GROUP BY task_name
)
SELECT used.*,
    CASE
        WHEN memory_pct > 85 THEN 'raise the memory limit'
        WHEN gpu_memory_pct > 95 THEN 'decode fewer segments at once'
        WHEN gpu_active_pct < 50 AND gpu_memory_pct < 50 THEN 'decode more segments at once'
        WHEN memory_pct < 20 THEN 'a smaller memory limit would do'
    END AS advice
FROM used
ORDER BY task_name;
