-- Values by stack of a type in a plan's ranges. $of_series, $of_rollups: conditions on series. They
-- are added up by number: the same by bytes takes a third longer.
SELECT reinterpretAsFixedString(number) AS stack_id, sum(value) AS value
FROM
(
    SELECT reinterpretAsUInt128(stack_id) AS number, value
    FROM samples
    WHERE type = {type:String}
        AND $of_series
        AND $raw
    UNION ALL
    SELECT reinterpretAsUInt128(stack_id) AS number, value
    FROM $hours_table
    WHERE type = {type:String}
        AND $of_rollups
        AND $hours
    UNION ALL
    SELECT reinterpretAsUInt128(stack_id) AS number, value
    FROM $days_table
    WHERE type = {type:String}
        AND $of_rollups
        AND $days
)
GROUP BY number
