-- Memory of each attempt's process, which adds up by hour and process.
SELECT *
FROM v_process_row
WHERE id BETWEEN /*:first*/ 1 AND /*:last*/ 0;
