-- CPU time by step, and by process and node of a service, in a plan's ranges.
SELECT service, process, node, groupArray(point) AS points, groupArray(value) AS amounts
FROM
(
    SELECT service, process, node, point, sum(value) AS value
    FROM
    (
        SELECT
            service,
            process,
            node,
            intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point,
            value
        FROM samples
        INNER JOIN
        (
            SELECT series_id, any(labels['process']) AS process, any(labels['node']) AS node
            FROM series WHERE $matching GROUP BY series_id
        ) AS chosen USING (series_id)
        WHERE type = {type:String}
            AND service IN (SELECT service FROM series WHERE $matching)
            AND $raw
        UNION ALL
        SELECT service, process, node, toInt64(toUnixTimestamp(ts)) * 1000 AS point, value
        FROM samples_1h
        INNER JOIN
        (
            SELECT rollup_series_id, any(labels['process']) AS process, any(labels['node']) AS node
            FROM series WHERE $matching GROUP BY rollup_series_id
        ) AS chosen USING (rollup_series_id)
        WHERE type = {type:String}
            AND service IN (SELECT service FROM series WHERE $matching)
            AND $hours
    )
    GROUP BY service, process, node, point
) AS summed
GROUP BY service, process, node
ORDER BY sum(value) DESC, service, process, node
LIMIT {most:UInt64}
