-- Figures of each attempt, which add up by hour and outcome.
SELECT *
FROM v_outcome_row
WHERE id BETWEEN /*:first*/ 1 AND /*:last*/ 0;
