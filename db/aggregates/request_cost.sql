-- Cost of each request by hour and job. An unknown CPU time counts as 0.
SELECT started_epoch / 3600 * 3600 AS hour_epoch, root_id, job,
    COUNT(*) AS n,
    SUM(run_s) AS run_sum_s,
    SUM(COALESCE(cpu_user_s, 0) + COALESCE(cpu_system_s, 0) + COALESCE(cpu_children_s, 0)) AS cpu_sum_s,
    SUM(CASE WHEN task_name = 'voxchord.diffusion' THEN audio_s END) AS audio_sum_s,
    SUM(gpu_active_s) AS gpu_active_sum_s
FROM task_run
WHERE id BETWEEN /*:first*/ 1 AND /*:last*/ 0 AND started_epoch IS NOT NULL AND root_id IS NOT NULL
GROUP BY started_epoch / 3600 * 3600, root_id, job;
