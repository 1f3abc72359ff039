-- The same in a plan's ranges: from sums of hours, and at the edges from flows.
SELECT
    $keys,
    point,
    $sums
FROM
(
    SELECT intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point, $columns
    FROM flows
    WHERE $matching
        AND $raw
    UNION ALL
    SELECT intDiv(toInt64(toUnixTimestamp(ts)) * 1000, {step:Int64}) * {step:Int64} AS point, $columns
    FROM flows_1h
    WHERE $matching
        AND $hours
) AS flows
GROUP BY $keys, point
ORDER BY $keys, point
LIMIT {most:UInt64}
