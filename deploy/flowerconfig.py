"""Flower's configuration, read by `tasks.flower` and by the containers."""

# Flower's own histogram ends at 10 s; a decode takes longer.
task_runtime_metric_buckets = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0]
max_tasks = 20_000
natural_time = False
tasks_columns = "name,uuid,state,kwargs,result,received,started,runtime,worker"
