-- Values by stack of a type in a plan's ranges. $of_series, $of_rollups: conditions on series.
SELECT stack_id, sum(value) AS value
FROM
(
    SELECT stack_id, value
    FROM samples
    WHERE type = {type:String}
        AND $of_series
        AND $raw
    UNION ALL
    SELECT stack_id, value
    FROM $hours_table
    WHERE type = {type:String}
        AND $of_rollups
        AND $hours
    UNION ALL
    SELECT stack_id, value
    FROM $days_table
    WHERE type = {type:String}
        AND $of_rollups
        AND $days
)
GROUP BY stack_id
