-- What does an hour of audio cost in CPU seconds and energy? Mind energy_scope: a device shared with other
-- processes is counted in full. NULL if nothing was measured; energy_measured_share is the share of measured attempts.
-- :days  days before the hour of the newest attempt (default 30); includes attempts that were trimmed
SELECT task_name, engine, device, energy_scope,
    SUM(audio_sum_s) / 3600 AS audio_h,
    SUM(cpu_sum_s) / NULLIF(SUM(audio_sum_s) / 3600, 0) AS cpu_s_per_audio_h,
    SUM(gpu_active_sum_s) / NULLIF(SUM(audio_sum_s) / 3600, 0) AS gpu_s_per_audio_h,
    SUM(energy_sum_j) / 3600 / NULLIF(SUM(audio_sum_s) / 3600, 0) AS wh_per_audio_h,
    SUM(n_energy) * 1.0 / SUM(n) AS energy_measured_share
FROM v_outcome
WHERE state = 'SUCCESS' AND has_audio = 1
    AND hour_epoch >= (SELECT MAX(started_epoch) FROM task_run) / 3600 * 3600 - /*:days*/ 30 * 86400
GROUP BY task_name, engine, device, energy_scope
ORDER BY task_name, engine, device, energy_scope;
