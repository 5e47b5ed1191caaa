-- What differs between two jobs? One line per task, in the order of the pipeline; a and b are side by side.
-- differs names the first figure that differs by more than a quarter (and by 0.1 s); first_difference marks the
-- earliest such task. Times are sums over all attempts, waits are means.
-- :a  job ID (default: the second newest)
-- :b  job ID (default: the newest)
WITH newest AS (
    SELECT id, ROW_NUMBER() OVER (ORDER BY created_epoch DESC, id DESC) AS age
    FROM (SELECT id, created_epoch FROM job ORDER BY created_epoch DESC, id DESC LIMIT 2) two
),
chosen AS (
    SELECT 'a' AS side, COALESCE(/*:a*/ NULL, (SELECT id FROM newest WHERE age = 2)) AS job
    UNION ALL
    SELECT 'b', COALESCE(/*:b*/ NULL, (SELECT id FROM newest WHERE age = 1))
),
cost AS (
    SELECT c.side, t.task_name,
        COUNT(*) AS n,
        SUM(CASE WHEN t.state IN ('SUCCESS', 'IGNORED') THEN 0 ELSE 1 END) AS not_success,
        SUM(t.run_s) AS run_s,
        SUM(t.cpu_user_s + t.cpu_system_s + COALESCE(t.cpu_children_s, 0)) AS cpu_s,
        SUM(t.gpu_active_s) AS gpu_s,
        SUM(COALESCE(t.gpu_energy_j + t.cpu_energy_j, t.gpu_energy_j, t.cpu_energy_j)) AS energy_j,
        AVG(t.queue_wait_s) AS wait_s,
        SUM(t.cpu_wait_s) AS starved_s,
        MAX(t.rss_peak_bytes) / 1048576 AS peak_mib,
        SUM(CASE WHEN t.state = 'SUCCESS' THEN t.audio_s END) AS audio_s,
        MAX(t.app_version) AS version,
        MAX(t.model_version) AS model,
        MAX(t.device) AS device,
        MIN(t.started_epoch) AS first_epoch
    FROM chosen c
    JOIN task_run t ON t.job = c.job
    GROUP BY c.side, t.task_name
),
started AS (
    SELECT c.side, MIN(c.first_epoch) AS epoch FROM cost c GROUP BY c.side
),
tasks AS (
    SELECT c.task_name, MIN(c.first_epoch - s.epoch) AS first_s
    FROM cost c JOIN started s ON s.side = c.side
    GROUP BY c.task_name
),
pairs AS (
    SELECT tasks.task_name, tasks.first_s,
        CASE tasks.task_name
            WHEN 'voxchord.render' THEN 0 WHEN 'voxchord.retry' THEN 0 WHEN 'voxchord.text' THEN 1
            WHEN 'voxchord.semantic' THEN 2 WHEN 'voxchord.speaker' THEN 3 WHEN 'voxchord.diffusion' THEN 4
            WHEN 'voxchord.verify' THEN 5 WHEN 'voxchord.stitch' THEN 7 ELSE 6
        END AS place,
        CASE
            WHEN a.n IS NULL OR b.n IS NULL THEN 'missing'
            WHEN COALESCE(a.version, '') <> COALESCE(b.version, '') THEN 'version'
            WHEN COALESCE(a.model, '') <> COALESCE(b.model, '') THEN 'model'
            WHEN COALESCE(a.device, '') <> COALESCE(b.device, '') THEN 'device'
            WHEN a.not_success <> b.not_success THEN 'unsuccessful'
            WHEN ABS(a.wait_s - b.wait_s) > 0.1 AND ABS(a.wait_s - b.wait_s) > 0.25 * a.wait_s THEN 'wait'
            WHEN ABS(a.run_s / a.n - b.run_s / b.n) > 0.1
                AND ABS(a.run_s / a.n - b.run_s / b.n) > 0.25 * a.run_s / a.n THEN 'run time'
            WHEN ABS(a.peak_mib - b.peak_mib) > 0.25 * a.peak_mib THEN 'memory'
        END AS differs,
        a.n AS n_a, b.n AS n_b, a.not_success AS not_success_a, b.not_success AS not_success_b,
        a.run_s AS run_s_a, b.run_s AS run_s_b, a.cpu_s AS cpu_s_a, b.cpu_s AS cpu_s_b,
        a.gpu_s AS gpu_s_a, b.gpu_s AS gpu_s_b, a.energy_j AS energy_j_a, b.energy_j AS energy_j_b,
        a.wait_s AS wait_s_a, b.wait_s AS wait_s_b, a.starved_s AS starved_s_a, b.starved_s AS starved_s_b,
        a.peak_mib AS peak_mib_a, b.peak_mib AS peak_mib_b, a.audio_s AS audio_s_a, b.audio_s AS audio_s_b
    FROM tasks
    LEFT JOIN cost a ON a.side = 'a' AND a.task_name = tasks.task_name
    LEFT JOIN cost b ON b.side = 'b' AND b.task_name = tasks.task_name
)
SELECT task_name,
    CASE WHEN differs IS NOT NULL AND COUNT(differs) OVER (ORDER BY place, first_s, task_name) = 1 THEN 1 ELSE 0 END
        AS first_difference,
    differs,
    100.0 * (run_s_b / NULLIF(run_s_a, 0) - 1) AS run_change_pct,
    n_a, n_b, not_success_a, not_success_b, run_s_a, run_s_b, cpu_s_a, cpu_s_b, gpu_s_a, gpu_s_b,
    energy_j_a, energy_j_b, wait_s_a, wait_s_b, starved_s_a, starved_s_b, peak_mib_a, peak_mib_b,
    audio_s_a, audio_s_b
FROM pairs
ORDER BY place, first_s, task_name;
