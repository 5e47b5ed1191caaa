-- The newest attempt of every task.
SELECT t.*
FROM task_run t
WHERE t.id = (SELECT MAX(u.id) FROM task_run u WHERE u.task_id = t.task_id);
