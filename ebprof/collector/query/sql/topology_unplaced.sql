-- What moved in connections of which nobody saw which end is the server.
SELECT $of_flows
FROM
(
$rows
) AS flows
WHERE role NOT IN ('client', 'server')
    AND $matching
