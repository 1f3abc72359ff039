-- Steps in which anything was pushed, in a plan's ranges, and whether by an agent.
SELECT point, max(is_agent) AS agents
FROM
(
    SELECT
        intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point,
        type = 'ebprof_window:number' AS is_agent
    FROM samples
    WHERE (type = 'ebprof_window:number' OR type = {type:String})
        AND $raw
    UNION ALL
    SELECT
        toInt64(toUnixTimestamp(ts)) * 1000 AS point,
        type = 'ebprof_window:number' AS is_agent
    FROM totals_1h
    WHERE (type = 'ebprof_window:number' OR type = {type:String})
        AND $hours
)
GROUP BY point
ORDER BY point
