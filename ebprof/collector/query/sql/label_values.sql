-- Values of a label of the series that were there on some days. $matching: conditions on series.
SELECT DISTINCT labels[{name:String}] AS value
FROM series
WHERE $matching AND mapContains(labels, {name:String})
ORDER BY value
LIMIT {most:UInt64}
