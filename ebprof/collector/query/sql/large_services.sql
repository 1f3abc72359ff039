-- Services with many stacks at a time: their value, that of the tree that there is, and its size.
SELECT service, value, known, nodes
FROM
(
    SELECT service, sum(value) AS value
    FROM $sums
    WHERE type = {type:String} AND ts = toDateTime({start_s:Int64}, 'UTC')
    GROUP BY service
    HAVING count() > {few:UInt64}
) AS stored
LEFT JOIN
(
    SELECT service, value AS known, length(parents) AS nodes
    FROM $trees FINAL
    WHERE type = {type:String} AND ts = toDateTime({start_s:Int64}, 'UTC')
) AS made USING (service)
ORDER BY service
