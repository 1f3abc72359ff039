-- The temporary table `leaves` by function and build: of each service the largest ones. What was
-- inlined belongs to the function that it was inlined into: builds differ in that.
WITH named AS
(
    SELECT frame_id, if(empty(names), '', names[-1]) AS name, module, build_id
    FROM frames FINAL
    WHERE frame_id IN (SELECT frame_id FROM leaves)
)
SELECT service, name, module, build_id, groupArray(point) AS points, groupArray(value) AS amounts
FROM
(
    SELECT service, name, module, build_id, point, sum(leaves.value) AS value
    FROM leaves
    LEFT JOIN named USING (frame_id)
    GROUP BY service, name, module, build_id, point
) AS summed
GROUP BY service, name, module, build_id
ORDER BY sum(value) DESC, service, name, module, build_id
LIMIT {each:UInt64} BY service
LIMIT {most:UInt64}
