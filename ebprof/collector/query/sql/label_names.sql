-- Names of labels of the series that were there on some days. $matching: conditions on series.
SELECT DISTINCT arrayJoin(mapKeys(labels)) AS name
FROM series
WHERE $matching
ORDER BY name
