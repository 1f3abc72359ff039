-- The temporary table `leaves` by service. least: the value of one row, which a sample amounts to.
SELECT service, groupArray(point) AS points, groupArray(value) AS amounts, min(summed.least) AS least
FROM
(
    SELECT service, point, sum(leaves.value) AS value, min(leaves.least) AS least
    FROM leaves
    GROUP BY service, point
) AS summed
GROUP BY service
ORDER BY service
