-- Windows that agents of nodes closed in a range: the first and the last one, and how many.
SELECT
    node,
    toUnixTimestamp64Milli(min(ts)) AS first,
    toUnixTimestamp64Milli(max(ts)) AS last,
    uniqExact(ts) AS windows
FROM samples
INNER JOIN
(
    SELECT series_id, any(labels['node']) AS node FROM series GROUP BY series_id
) AS named USING (series_id)
WHERE type = 'ebprof_window:number'
    AND ts >= fromUnixTimestamp64Milli({from:Int64})
    AND ts < fromUnixTimestamp64Milli({to:Int64})
GROUP BY node
ORDER BY node
LIMIT {most:UInt64}
