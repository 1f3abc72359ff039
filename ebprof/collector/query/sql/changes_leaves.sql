-- CPU time by step and by the frame that ran, in a plan's ranges. least: that of one row.
SELECT service, frame_id, point, sum(sampled.value) AS value, min(sampled.value) AS least
FROM
(
    SELECT
        service,
        stack_id,
        intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point,
        value
    FROM samples
    WHERE type = {type:String}
        AND $of_series
        AND $raw
    UNION ALL
    SELECT service, stack_id, toInt64(toUnixTimestamp(ts)) * 1000 AS point, value
    FROM $hours_table
    WHERE type = {type:String}
        AND $of_rollups
        AND $hours
) AS sampled
ANY LEFT JOIN
(
    SELECT service, stack_id, frame_ids[1] AS frame_id
    FROM stacks
    WHERE $services
) AS known USING (service, stack_id)
GROUP BY service, frame_id, point
