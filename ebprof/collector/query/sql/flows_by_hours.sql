-- The same in a plan's ranges: from sums of hours, and at the edges from flows.
SELECT
    $keys,
    $sums,
    tx_bytes + rx_bytes AS moved
FROM
(
    SELECT $columns
    FROM flows
    WHERE $matching
        AND $raw
    UNION ALL
    SELECT $columns
    FROM flows_1h
    WHERE $matching
        AND $hours
) AS flows
GROUP BY $keys
ORDER BY moved DESC, $keys
LIMIT {most:UInt64}
