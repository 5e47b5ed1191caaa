-- Start and end of each attempt, by hour and request.
SELECT *
FROM v_request_row
WHERE id BETWEEN /*:first*/ 1 AND /*:last*/ 0;
