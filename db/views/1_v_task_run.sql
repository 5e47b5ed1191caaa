-- Every attempt with common shares and ratios. NULL if a part was not measured.
SELECT
    t.*,
    100.0 * (t.cpu_user_s + t.cpu_system_s + COALESCE(t.cpu_children_s, 0)) / NULLIF(t.share_s, 0) AS cpu_pct,
    (t.cpu_user_s + t.cpu_system_s + COALESCE(t.cpu_children_s, 0))
        / NULLIF(t.share_s * t.cpus_allowed, 0) AS cpu_efficiency,
    100.0 * t.rss_peak_bytes / NULLIF(t.mem_limit_bytes, 0) AS mem_pct,
    t.rss_end_bytes - t.rss_start_bytes AS rss_growth_bytes,
    t.share_s - t.cpu_user_s - t.cpu_system_s - COALESCE(t.gpu_active_s, 0) AS idle_s,
    t.audio_s / NULLIF(t.run_s, 0) AS speed,
    COALESCE(t.gpu_energy_j + t.cpu_energy_j, t.gpu_energy_j, t.cpu_energy_j) / NULLIF(t.audio_s, 0) AS j_per_audio_s,
    100.0 * t.run_s / NULLIF(t.hard_limit_s, 0) AS limit_pct,
    CASE WHEN t.state IN ('SUCCESS', 'IGNORED') THEN 0 ELSE 1 END AS wasted
FROM task_run t;
