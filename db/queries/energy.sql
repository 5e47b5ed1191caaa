-- What does an hour of audio cost in CPU seconds and energy? Mind energy_scope: a device shared with other
-- processes is counted in full. NULL if nothing was measured; energy_measured_share is the share of measured attempts.
-- :days  days before the newest attempt (default 30)
SELECT task_name, engine, device, energy_scope,
    SUM(audio_s) / 3600 AS audio_h,
    SUM(cpu_user_s + cpu_system_s + cpu_children_s) / NULLIF(SUM(audio_s) / 3600, 0) AS cpu_s_per_audio_h,
    SUM(gpu_active_s) / NULLIF(SUM(audio_s) / 3600, 0) AS gpu_s_per_audio_h,
    SUM(COALESCE(gpu_energy_j + cpu_energy_j, gpu_energy_j, cpu_energy_j)) / 3600
        / NULLIF(SUM(audio_s) / 3600, 0) AS wh_per_audio_h,
    COUNT(COALESCE(gpu_energy_j, cpu_energy_j)) * 1.0 / COUNT(*) AS energy_measured_share
FROM task_run
WHERE state = 'SUCCESS' AND audio_s > 0
    AND started_epoch >= (SELECT MAX(started_epoch) FROM task_run) - /*:days*/ 30 * 86400
GROUP BY task_name, engine, device, energy_scope
ORDER BY task_name, engine, device, energy_scope;
