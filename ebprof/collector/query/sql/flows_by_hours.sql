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
        AND (
            ts >= fromUnixTimestamp64Milli({raw_from_1:Int64})
            AND ts < fromUnixTimestamp64Milli({raw_to_1:Int64})
            OR ts >= fromUnixTimestamp64Milli({raw_from_2:Int64})
            AND ts < fromUnixTimestamp64Milli({raw_to_2:Int64})
        )
    UNION ALL
    SELECT $columns
    FROM flows_1h
    WHERE $matching
        AND ts >= fromUnixTimestamp64Milli({hours_from_1:Int64})
        AND ts < fromUnixTimestamp64Milli({hours_to_1:Int64})
) AS flows
GROUP BY $keys
ORDER BY moved DESC, $keys
LIMIT {most:UInt64}
