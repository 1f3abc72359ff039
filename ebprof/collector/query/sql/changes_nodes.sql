-- Windows of each node by step, in a plan's ranges.
SELECT node, point, sum(windows) AS value
FROM
(
    SELECT
        series_id,
        intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point,
        count() AS windows
    FROM samples
    WHERE type = 'ebprof_window:number'
        AND $raw
    GROUP BY series_id, point
    UNION ALL
    SELECT
        rollup_series_id AS series_id,
        toInt64(toUnixTimestamp(ts)) * 1000 AS point,
        count() AS windows
    FROM samples_1h
    WHERE type = 'ebprof_window:number'
        AND $hours
    GROUP BY series_id, point
) AS pushed
INNER JOIN
(
    SELECT series_id, any(labels['node']) AS node FROM series GROUP BY series_id
    UNION DISTINCT
    SELECT rollup_series_id AS series_id, any(labels['node']) AS node FROM series GROUP BY series_id
) AS named USING (series_id)
GROUP BY node, point
ORDER BY node, point
LIMIT {most:UInt64}
