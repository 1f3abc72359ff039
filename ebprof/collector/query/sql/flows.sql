-- Sums of flows by some columns ($keys, which are $selected), of windows that began in a range. $matching: conditions.
SELECT
    $selected,
    $sums,
    tx_bytes + rx_bytes AS moved
FROM flows
WHERE $matching
    AND $raw
GROUP BY $keys
ORDER BY moved DESC, $keys
LIMIT {most:UInt64}
