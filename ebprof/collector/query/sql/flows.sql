-- Sums of flows by some columns ($keys), of windows that began in a range. $matching: conditions.
SELECT
    $keys,
    $sums,
    tx_bytes + rx_bytes AS moved
FROM flows
WHERE ts >= fromUnixTimestamp64Milli({raw_from_1:Int64})
    AND ts < fromUnixTimestamp64Milli({raw_to_1:Int64})
    AND $matching
GROUP BY $keys
ORDER BY moved DESC, $keys
LIMIT {most:UInt64}
