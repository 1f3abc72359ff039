-- Sums of flows by step and by some columns ($keys), of windows in a range. $matching: conditions.
SELECT
    $keys,
    intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point,
    $sums
FROM flows
WHERE $matching
    AND $raw
GROUP BY $keys, point
ORDER BY $keys, point
LIMIT {most:UInt64}
