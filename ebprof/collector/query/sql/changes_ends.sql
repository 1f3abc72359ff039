-- Addresses where those serve that are selected, in a plan's ranges. $matching: conditions.
SELECT local, port FROM flows
WHERE $matching AND role = 'server' AND $raw
GROUP BY local, port
UNION DISTINCT
SELECT local, port FROM flows_1h
WHERE $matching AND role = 'server' AND $hours
GROUP BY local, port
