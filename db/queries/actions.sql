-- Who retried or cancelled jobs? One line per action, the newest first.
-- :job   job ID (default: all jobs)
-- :days  days before the newest action (default 30)
SELECT acted_epoch, job, action, segment, actor, via
FROM job_action
WHERE acted_epoch >= (SELECT MAX(acted_epoch) FROM job_action) - /*:days*/ 30 * 86400
    AND job = COALESCE(/*:job*/ NULL, job)
ORDER BY acted_epoch DESC, action_uid;
