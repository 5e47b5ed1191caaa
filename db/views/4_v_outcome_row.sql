-- Every attempt with the columns of rollup_outcome: its keys, and its share of each figure.
SELECT
    t.id,
    t.started_epoch,
    (t.started_epoch / 3600) * 3600 AS hour_epoch,
    t.task_name,
    t.engine,
    t.device,
    t.pool,
    t.state,
    t.exc_type,
    t.energy_scope,
    t.cold_start,
    CASE
        WHEN t.share_s IS NULL OR t.share_s <= 0 OR t.cpu_user_s IS NULL THEN NULL
        WHEN t.gpu_active_s >= 0.6 * t.share_s THEN 'gpu'
        WHEN t.cpu_user_s + t.cpu_system_s + COALESCE(t.cpu_children_s, 0) >= 0.8 * t.share_s THEN 'cpu'
        WHEN t.cpu_wait_s >= 0.2 * t.share_s THEN 'starved'
        ELSE 'waiting'
    END AS bound_by,
    CASE WHEN t.audio_s > 0 THEN 1 ELSE 0 END AS has_audio,
    1 AS n,
    CASE WHEN t.run_s IS NULL THEN 0 ELSE 1 END AS n_run,
    t.run_s AS run_sum_s,
    CASE WHEN t.run_s IS NULL OR t.finished_epoch IS NULL THEN 0 ELSE 1 END AS n_ended,
    CASE WHEN t.finished_epoch IS NOT NULL THEN t.run_s END AS ended_run_sum_s,
    t.cpu_user_s + t.cpu_system_s + t.cpu_children_s AS cpu_sum_s,
    CASE WHEN t.gpu_active_s IS NULL THEN 0 ELSE 1 END AS n_gpu_active,
    t.gpu_active_s AS gpu_active_sum_s,
    CASE WHEN COALESCE(t.gpu_energy_j, t.cpu_energy_j) IS NULL THEN 0 ELSE 1 END AS n_energy,
    COALESCE(t.gpu_energy_j + t.cpu_energy_j, t.gpu_energy_j, t.cpu_energy_j) AS energy_sum_j,
    t.audio_s AS audio_sum_s,
    CASE
        WHEN t.task_name = 'voxchord.diffusion' AND t.state = 'SUCCESS' AND COALESCE(t.cache_hit, 0) = 0
            AND t.audio_s > 0 AND t.run_s IS NOT NULL AND t.finished_epoch IS NOT NULL
        THEN t.audio_s
    END AS made_audio_sum_s,
    CASE WHEN t.model_load_s IS NULL THEN 0 ELSE 1 END AS n_model_load,
    t.model_load_s AS model_load_sum_s,
    t.model_load_s AS model_load_max_s,
    CASE WHEN t.gpu_mem_reserved_peak_bytes > 0 THEN 1 ELSE 0 END AS n_gpu_mem,
    CASE WHEN t.gpu_mem_reserved_peak_bytes > 0 THEN t.gpu_mem_reserved_peak_bytes END AS gpu_mem_reserved_sum_bytes,
    CASE WHEN t.gpu_mem_reserved_peak_bytes > 0 THEN t.gpu_mem_reserved_peak_bytes END AS gpu_mem_reserved_max_bytes,
    CASE WHEN t.gpu_mem_reserved_peak_bytes > 0 THEN t.gpu_mem_alloc_peak_bytes END AS gpu_mem_alloc_sum_bytes,
    CASE WHEN t.gpu_mem_reserved_peak_bytes > 0 THEN t.gpu_mem_total_bytes END AS gpu_mem_total_max_bytes,
    CASE WHEN t.gpu_mem_reserved_peak_bytes > 0 THEN t.gpu_alloc_retries END AS gpu_alloc_retries_sum,
    CASE WHEN t.gpu_mem_reserved_peak_bytes > 0 THEN t.gpu_ooms END AS gpu_ooms_sum
FROM task_run t
WHERE t.started_epoch IS NOT NULL;
