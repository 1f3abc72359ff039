-- Values of each type and day, in a table of samples or of sums of these.
SELECT type, toString(toDate(ts)) AS day, toInt64(sum(value)) AS value
FROM $table
WHERE ts >= toDateTime(toDate({first_day:UInt16}), 'UTC')
GROUP BY type, day
ORDER BY type, day
