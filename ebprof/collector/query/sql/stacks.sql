-- Values by stack of a type in a plan's ranges. $matching: conditions on series.
SELECT service, stack_id, sum(value) AS value
FROM
(
    SELECT service, stack_id, value
    FROM samples
    WHERE type = {type:String}
        AND service IN (SELECT service FROM series WHERE $matching)
        AND series_id IN (SELECT series_id FROM series WHERE $matching)
        AND $raw
    UNION ALL
    SELECT service, stack_id, value
    FROM samples_1h
    WHERE type = {type:String}
        AND service IN (SELECT service FROM series WHERE $matching)
        AND rollup_series_id IN (SELECT rollup_series_id FROM series WHERE $matching)
        AND $hours
    UNION ALL
    SELECT service, stack_id, value
    FROM samples_1d
    WHERE type = {type:String}
        AND service IN (SELECT service FROM series WHERE $matching)
        AND rollup_series_id IN (SELECT rollup_series_id FROM series WHERE $matching)
        AND $days
)
GROUP BY service, stack_id
