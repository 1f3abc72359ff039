-- Tables with rows and bytes on disk. Partitions of what is dropped when it is too old have names of days
-- or months.
SELECT
    table AS name,
    toInt64(sum(rows)) AS rows,
    toInt64(sum(bytes_on_disk)) AS bytes,
    toInt64(1000) * ifNull(min(toUnixTimestamp(parseDateTimeBestEffortOrNull(
        if(length(partition) = 6, concat(partition, '01'), if(match(partition, '^\d{4}-'), partition, '')),
        'UTC'
    ))), 0) AS oldest_ms
FROM system.parts
WHERE active AND database = currentDatabase()
GROUP BY table
ORDER BY table
