-- Sums of flows by step and by some columns ($keys, which are $selected), of windows in a range. $matching: conditions.
SELECT
    $selected,
    intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point,
    $sums
FROM flows
WHERE $matching
    AND $raw
GROUP BY $keys, point
ORDER BY $keys, point
LIMIT {most:UInt64}
