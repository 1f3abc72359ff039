-- The nodes that pushed in a range, and what their agents say of themselves: a run numbers its
-- windows.
SELECT
    node,
    argMaxIf(version, last, version != '') AS version,
    toUnixTimestamp64Milli(max(last)) AS last_push_ms,
    sum(samples) AS samples_total,
    sum(lost) AS lost_total,
    argMax(if(spool_at = window_at, spool, 0), window_at) AS spool_bytes,
    sumIf(last_window - first_window + 1 - windows, windows > 0) AS missing_windows,
    sum(windows) AS arrived_windows
FROM
(
    SELECT
        series_id,
        max(ts) AS last,
        sumIf(value, type = 'ebprof_samples:count') AS samples,
        sumIf(value, type = 'lost:count') AS lost,
        argMaxIf(value, ts, type = 'ebprof_spool:bytes') AS spool,
        maxIf(ts, type = 'ebprof_spool:bytes') AS spool_at,
        maxIf(ts, type = 'ebprof_window:number') AS window_at,
        minIf(value, type = 'ebprof_window:number') AS first_window,
        maxIf(value, type = 'ebprof_window:number') AS last_window,
        uniqExactIf(value, type = 'ebprof_window:number') AS windows
    FROM samples
    WHERE ts >= fromUnixTimestamp64Milli({from:Int64})
        AND ts < fromUnixTimestamp64Milli({to:Int64})
    GROUP BY series_id
) AS pushed
INNER JOIN
(
    SELECT series_id, any(labels['node']) AS node, any(labels['version']) AS version
    FROM series GROUP BY series_id
) AS named USING (series_id)
WHERE node != ''
GROUP BY node
ORDER BY node
