-- The same in a plan's ranges: from sums of hours, and at the edges from flows.
SELECT $columns FROM flows WHERE $raw
UNION ALL
SELECT $columns FROM flows_1h WHERE $hours
