-- Trees of the hours and days of a plan of which no more is stored than what they were made of.
SELECT
    'hours' AS unit,
    toUnixTimestamp(ts) AS start,
    incomplete, unknown, parents, frame_ids, stops, totals, pruned, pruned_nodes
FROM trees_1h FINAL
WHERE type = {type:String}
    AND service = {tree:String}
    AND $hours
    AND (ts, value) IN
    (
        SELECT ts, sum(value)
        FROM totals_1h
        WHERE type = {type:String}
            AND $services
            AND $hours
        GROUP BY ts
    )
UNION ALL
SELECT
    'days',
    toUnixTimestamp(ts),
    incomplete, unknown, parents, frame_ids, stops, totals, pruned, pruned_nodes
FROM trees_1d FINAL
WHERE type = {type:String}
    AND service = {tree:String}
    AND $days
    AND (ts, value) IN
    (
        SELECT toStartOfDay(ts) AS day, sum(value)
        FROM totals_1h
        WHERE type = {type:String}
            AND $services
            AND $days
        GROUP BY day
    )
