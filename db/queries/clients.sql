-- What did each client of the HTTP service ask for, and what did it cost?
-- :days  days before the newest request (default 30)
WITH request AS (
    SELECT task_id, client, chars_in
    FROM http_request
    WHERE requested_epoch >= (SELECT MAX(requested_epoch) FROM http_request) - /*:days*/ 30 * 86400
), cost AS (
    SELECT request.client, SUM(c.n) AS attempts, COUNT(DISTINCT c.job) AS jobs_run, SUM(c.run_sum_s) AS run_s,
        SUM(c.cpu_sum_s) AS cpu_s, SUM(c.audio_sum_s) AS audio_s, SUM(c.gpu_active_sum_s) AS gpu_active_s
    FROM request
    JOIN v_request_cost c ON c.root_id = request.task_id
    GROUP BY request.client
), asked AS (
    SELECT client, COUNT(*) AS requests, SUM(chars_in) AS chars_in
    FROM request
    GROUP BY client
)
SELECT asked.client, asked.requests, asked.chars_in, COALESCE(cost.jobs_run, 0) AS jobs_run, cost.attempts,
    cost.run_s, cost.cpu_s, cost.audio_s, cost.gpu_active_s
FROM asked
LEFT JOIN cost ON cost.client = asked.client
ORDER BY asked.chars_in DESC, asked.client;
