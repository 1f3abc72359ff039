-- Steps in which any agent pushed, in a plan's ranges.
SELECT DISTINCT point
FROM
(
    SELECT intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point
    FROM samples
    WHERE type = 'ebprof_window:number'
        AND $raw
    UNION ALL
    SELECT toInt64(toUnixTimestamp(ts)) * 1000 AS point
    FROM totals_1h
    WHERE type = 'ebprof_window:number'
        AND $hours
)
