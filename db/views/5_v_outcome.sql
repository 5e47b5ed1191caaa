-- rollup_outcome, and the attempts that it does not include yet.
SELECT
    hour_epoch, task_name, engine, device, pool, state, exc_type, energy_scope, cold_start, bound_by, has_audio,
    n, n_run, run_sum_s, n_ended, ended_run_sum_s, cpu_sum_s, n_gpu_active, gpu_active_sum_s, n_energy, energy_sum_j,
    audio_sum_s, made_audio_sum_s, n_model_load, model_load_sum_s, model_load_max_s, n_gpu_mem,
    gpu_mem_reserved_sum_bytes, gpu_mem_reserved_max_bytes, gpu_mem_alloc_sum_bytes, gpu_mem_total_max_bytes,
    gpu_alloc_retries_sum, gpu_ooms_sum
FROM rollup_outcome
UNION ALL
SELECT
    hour_epoch, task_name, engine, device, pool, state, exc_type, energy_scope, cold_start, bound_by, has_audio,
    n, n_run, run_sum_s, n_ended, ended_run_sum_s, cpu_sum_s, n_gpu_active, gpu_active_sum_s, n_energy, energy_sum_j,
    audio_sum_s, made_audio_sum_s, n_model_load, model_load_sum_s, model_load_max_s, n_gpu_mem,
    gpu_mem_reserved_sum_bytes, gpu_mem_reserved_max_bytes, gpu_mem_alloc_sum_bytes, gpu_mem_total_max_bytes,
    gpu_alloc_retries_sum, gpu_ooms_sum
FROM v_outcome_row
WHERE id BETWEEN (SELECT through_id + 1 FROM rollup_mark WHERE name = 'task_run') AND (SELECT MAX(id) FROM task_run);
