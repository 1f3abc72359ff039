-- Trees of the hours or days ($within) of a plan of which no more is stored than what they were made of.
SELECT
    '$unit' AS unit,
    toUnixTimestamp(ts) AS start,
    incomplete, unknown, parents, frame_ids, stops, totals, pruned, pruned_nodes
FROM $trees FINAL
WHERE type = {type:String}
    AND service = {tree:String}
    AND $within
    AND (ts, value) IN
    (
        SELECT $start AS start, sum(value)
        FROM totals_1h
        WHERE type = {type:String}
            AND $services
            AND $within
        GROUP BY start
    )
