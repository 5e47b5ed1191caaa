-- How many copies of a model fit on a device, by the peak reserved by torch's allocator?
-- An upper bound: it leaves out the CUDA context, some hundreds of MB per process.
-- :days  days before the newest attempt (default 30)
SELECT engine, device, COUNT(*) AS n,
    MAX(gpu_mem_reserved_peak_bytes) AS reserved_peak_bytes,
    MAX(gpu_mem_total_bytes) / NULLIF(MAX(gpu_mem_reserved_peak_bytes), 0) AS copies_upper_bound,
    1.0 - 1.0 * SUM(gpu_mem_alloc_peak_bytes) / SUM(gpu_mem_reserved_peak_bytes) AS reserved_not_used_share,
    SUM(gpu_alloc_retries) AS alloc_retries,
    SUM(gpu_ooms) AS ooms
FROM task_run
WHERE gpu_mem_reserved_peak_bytes > 0
    AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
GROUP BY engine, device
ORDER BY engine, device;
