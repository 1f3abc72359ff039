-- Hours or days ($start) of a range of which more is stored than there are trees of: the latest first.
SELECT type, toUnixTimestamp(start) AS start_s, value
FROM
(
    SELECT type, $start AS start, sum(value) AS value
    FROM totals_1h
    WHERE ts >= toDateTime({since:Int64}, 'UTC') AND ts < toDateTime({until:Int64}, 'UTC')
    GROUP BY type, start
) AS stored
LEFT JOIN
(
    SELECT type, ts AS start, value AS known
    FROM $trees FINAL
    WHERE service = ''
        AND ts >= toDateTime({since:Int64}, 'UTC') AND ts < toDateTime({until:Int64}, 'UTC')
) AS made USING (type, start)
WHERE value > known
ORDER BY start DESC, type
LIMIT {most:UInt64}
