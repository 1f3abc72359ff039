-- Sums by step and by the values of labels (one is empty: none) of a type, which are names with commas
-- between them. $matching: conditions on series.
SELECT found, point, sum(value) AS value
FROM
(
    SELECT
        intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point,
        found,
        value
    FROM samples
    INNER JOIN
    (
        SELECT series_id, any(arrayMap(name -> labels[name], splitByChar(',', {by:String}))) AS found
        FROM series WHERE $matching GROUP BY series_id
    ) AS chosen USING (series_id)
    WHERE type = {type:String}
        AND service IN (SELECT service FROM series WHERE $matching)
        AND $raw
    UNION ALL
    SELECT
        intDiv(toInt64(toUnixTimestamp(ts)) * 1000, {step:Int64}) * {step:Int64} AS point,
        found,
        value
    FROM samples_1h
    INNER JOIN
    (
        SELECT rollup_series_id, any(arrayMap(name -> labels[name], splitByChar(',', {by:String}))) AS found
        FROM series WHERE $matching GROUP BY rollup_series_id
    ) AS chosen USING (rollup_series_id)
    WHERE type = {type:String}
        AND service IN (SELECT service FROM series WHERE $matching)
        AND $hours
)
GROUP BY found, point
ORDER BY found, point
LIMIT {most:UInt64}
