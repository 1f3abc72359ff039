-- When the first sample of a type in a plan's ranges was taken; 0 where there is none.
SELECT min(taken) AS first
FROM
(
    SELECT toUnixTimestamp64Milli(min(ts)) AS taken
    FROM samples
    WHERE type = {type:String}
        AND $raw
    UNION ALL
    SELECT toInt64(toUnixTimestamp(min(ts))) * 1000 AS taken
    FROM totals_1h
    WHERE type = {type:String}
        AND $hours
)
WHERE taken > 0
