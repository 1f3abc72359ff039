-- Types of which there are samples on some days. The first and last may be there in part.
SELECT DISTINCT toString(type) AS type
FROM samples_1d
WHERE ts > fromUnixTimestamp64Milli({from:Int64}) - INTERVAL 1 DAY
    AND ts < fromUnixTimestamp64Milli({to:Int64})
ORDER BY type
