-- How many copies of a model fit on a device, by the peak reserved by torch's allocator?
-- An upper bound: it leaves out the CUDA context, some hundreds of MB per process.
-- :days  days before the hour of the newest attempt (default 30); includes attempts that were trimmed
SELECT engine, device, SUM(n_gpu_mem) AS n,
    MAX(gpu_mem_reserved_max_bytes) AS reserved_peak_bytes,
    MAX(gpu_mem_total_max_bytes) / NULLIF(MAX(gpu_mem_reserved_max_bytes), 0) AS copies_upper_bound,
    1.0 - 1.0 * SUM(gpu_mem_alloc_sum_bytes) / SUM(gpu_mem_reserved_sum_bytes) AS reserved_not_used_share,
    SUM(gpu_alloc_retries_sum) AS alloc_retries,
    SUM(gpu_ooms_sum) AS ooms
FROM v_outcome
WHERE n_gpu_mem > 0
    AND hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - /*:days*/ 30 * 86400
GROUP BY engine, device
ORDER BY engine, device;
