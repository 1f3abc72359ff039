-- Sums of flows by some columns ($keys), of windows that began in a range. $matching: conditions.
SELECT
    $keys,
    $sums,
    tx_bytes + rx_bytes AS moved
FROM flows
WHERE $matching
    AND $raw
GROUP BY $keys
ORDER BY moved DESC, $keys
LIMIT {most:UInt64}
