-- Sums by step and by the value of a label (empty: none) of a type. $matching: conditions on series.
SELECT label, point, sum(value) AS value
FROM
(
    SELECT
        intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point,
        label,
        value
    FROM samples
    INNER JOIN
    (
        SELECT series_id, any(labels[{by:String}]) AS label
        FROM series WHERE $matching GROUP BY series_id
    ) AS chosen USING (series_id)
    WHERE type = {type:String}
        AND service IN (SELECT service FROM series WHERE $matching)
        AND $raw
    UNION ALL
    SELECT
        intDiv(toInt64(toUnixTimestamp(ts)) * 1000, {step:Int64}) * {step:Int64} AS point,
        label,
        value
    FROM samples_1h
    INNER JOIN
    (
        SELECT rollup_series_id, any(labels[{by:String}]) AS label
        FROM series WHERE $matching GROUP BY rollup_series_id
    ) AS chosen USING (rollup_series_id)
    WHERE type = {type:String}
        AND service IN (SELECT service FROM series WHERE $matching)
        AND $hours
)
GROUP BY label, point
ORDER BY label, point
LIMIT {most:UInt64}
