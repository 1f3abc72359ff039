-- The nodes that pushed within raw's retention: when they did last, and how many rows of samples.
SELECT node, max(last) AS last_push_ms, sum(samples) AS samples_total
FROM
(
    SELECT series_id, toUnixTimestamp64Milli(max(ts)) AS last, count() AS samples
    FROM samples
    WHERE ts >= fromUnixTimestamp64Milli({from:Int64})
        AND ts < fromUnixTimestamp64Milli({to:Int64})
    GROUP BY series_id
) AS pushed
INNER JOIN
(
    SELECT series_id, any(labels['node']) AS node FROM series GROUP BY series_id
) AS named USING (series_id)
WHERE node != ''
GROUP BY node
ORDER BY node
