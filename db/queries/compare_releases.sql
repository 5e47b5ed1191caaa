-- What differs between two releases? One line per task, in the order of the pipeline; figures are per attempt.
-- Hours that `trim` aggregated come from rollup_hour; of later ones the newest two days are read from task_run.
-- :a     release (default: the second newest)
-- :b     release (default: the newest)
-- :days  days before the newest hour (default 30)
WITH summed AS (
    SELECT COALESCE(MAX(hour_epoch), 0) + 3600 AS until_epoch FROM rollup_hour
),
newest AS (
    SELECT MAX(started_epoch) AS epoch FROM task_run
),
parts AS (
    SELECT app_version, task_name, hour_epoch, n, n_not_success, run_sum_s, cpu_sum_s, gpu_active_sum_s,
        energy_j_sum, n_queue_wait, queue_wait_sum_s, cpu_wait_sum_s, rss_peak_max_bytes, audio_sum_s
    FROM rollup_hour
    WHERE hour_epoch >= (SELECT MAX(hour_epoch) FROM rollup_hour) - /*:days*/ 30 * 86400
    UNION ALL
    SELECT app_version, task_name, started_epoch, 1, CASE WHEN state = 'SUCCESS' THEN 0 ELSE 1 END, run_s,
        cpu_user_s + cpu_system_s + COALESCE(cpu_children_s, 0), gpu_active_s,
        COALESCE(gpu_energy_j + cpu_energy_j, gpu_energy_j, cpu_energy_j),
        CASE WHEN queue_wait_s IS NULL THEN 0 ELSE 1 END, queue_wait_s, cpu_wait_s, rss_peak_bytes, audio_s
    FROM task_run
    WHERE started_epoch >= (SELECT until_epoch FROM summed)
        AND started_epoch >= (SELECT epoch FROM newest) - 2 * 86400
),
cost AS (
    SELECT app_version, task_name, MAX(hour_epoch) AS last_epoch, SUM(n) AS n,
        100.0 * SUM(n_not_success) / SUM(n) AS not_success_pct,
        SUM(run_sum_s) / SUM(n) AS run_s, SUM(cpu_sum_s) / SUM(n) AS cpu_s,
        SUM(gpu_active_sum_s) / SUM(n) AS gpu_s, SUM(energy_j_sum) / SUM(n) AS energy_j,
        SUM(queue_wait_sum_s) / NULLIF(SUM(n_queue_wait), 0) AS wait_s, SUM(cpu_wait_sum_s) / SUM(n) AS starved_s,
        MAX(rss_peak_max_bytes) / 1048576 AS peak_mib,
        SUM(run_sum_s) / NULLIF(SUM(audio_sum_s), 0) AS run_per_audio_s
    FROM parts
    WHERE app_version <> ''
    GROUP BY app_version, task_name
),
versions AS (
    SELECT app_version, ROW_NUMBER() OVER (ORDER BY MAX(last_epoch) DESC, app_version DESC) AS age
    FROM cost GROUP BY app_version
),
a AS (
    SELECT * FROM cost
    WHERE app_version = COALESCE(/*:a*/ NULL, (SELECT app_version FROM versions WHERE age = 2))
),
b AS (
    SELECT * FROM cost
    WHERE app_version = COALESCE(/*:b*/ NULL, (SELECT app_version FROM versions WHERE age = 1))
),
pairs AS (
    SELECT tasks.task_name,
        CASE tasks.task_name
            WHEN 'voxchord.render' THEN 0 WHEN 'voxchord.retry' THEN 0 WHEN 'voxchord.text' THEN 1
            WHEN 'voxchord.semantic' THEN 2 WHEN 'voxchord.speaker' THEN 3 WHEN 'voxchord.diffusion' THEN 4
            WHEN 'voxchord.verify' THEN 5 WHEN 'voxchord.stitch' THEN 7 ELSE 6
        END AS place,
        CASE
            WHEN a.n IS NULL OR b.n IS NULL THEN 'missing'
            WHEN ABS(a.not_success_pct - b.not_success_pct) > 5 THEN 'unsuccessful'
            WHEN ABS(a.run_per_audio_s - b.run_per_audio_s) > 0.25 * a.run_per_audio_s THEN 'speed'
            WHEN a.run_per_audio_s IS NULL AND ABS(a.run_s - b.run_s) > 0.1
                AND ABS(a.run_s - b.run_s) > 0.25 * a.run_s THEN 'run time'
            WHEN ABS(a.wait_s - b.wait_s) > 0.1 AND ABS(a.wait_s - b.wait_s) > 0.25 * a.wait_s THEN 'wait'
            WHEN ABS(a.peak_mib - b.peak_mib) > 0.25 * a.peak_mib THEN 'memory'
        END AS differs,
        a.app_version AS version_a, b.app_version AS version_b, a.n AS n_a, b.n AS n_b,
        a.not_success_pct AS not_success_pct_a, b.not_success_pct AS not_success_pct_b,
        a.run_s AS run_s_a, b.run_s AS run_s_b, a.cpu_s AS cpu_s_a, b.cpu_s AS cpu_s_b,
        a.gpu_s AS gpu_s_a, b.gpu_s AS gpu_s_b, a.energy_j AS energy_j_a, b.energy_j AS energy_j_b,
        a.wait_s AS wait_s_a, b.wait_s AS wait_s_b, a.starved_s AS starved_s_a, b.starved_s AS starved_s_b,
        a.peak_mib AS peak_mib_a, b.peak_mib AS peak_mib_b,
        a.run_per_audio_s AS run_per_audio_s_a, b.run_per_audio_s AS run_per_audio_s_b
    FROM (SELECT task_name FROM a UNION SELECT task_name FROM b) tasks
    LEFT JOIN a ON a.task_name = tasks.task_name
    LEFT JOIN b ON b.task_name = tasks.task_name
)
SELECT task_name,
    CASE WHEN differs IS NOT NULL AND COUNT(differs) OVER (ORDER BY place, task_name) = 1 THEN 1 ELSE 0 END
        AS first_difference,
    differs,
    100.0 * (run_s_b / NULLIF(run_s_a, 0) - 1) AS run_change_pct,
    version_a, version_b, n_a, n_b, not_success_pct_a, not_success_pct_b, run_s_a, run_s_b, cpu_s_a, cpu_s_b,
    gpu_s_a, gpu_s_b, energy_j_a, energy_j_b, wait_s_a, wait_s_b, starved_s_a, starved_s_b,
    peak_mib_a, peak_mib_b, run_per_audio_s_a, run_per_audio_s_b
FROM pairs
ORDER BY place, task_name;
