-- How many copies of a model would fit on a device, by what torch's allocator held at most?
-- An upper bound: the CUDA context, some hundreds of MB per process, is not in it.
-- :days  how far to look back from the newest attempt (default 30)
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
