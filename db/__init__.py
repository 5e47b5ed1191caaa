"""The history: jobs and what every attempt of every task cost, in SQL."""
