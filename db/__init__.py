"""The history: jobs and the cost of every attempt of every task, in SQL."""
