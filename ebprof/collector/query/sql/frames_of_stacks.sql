-- Frames and stop reason of each stack in the temporary table `largest`.
SELECT largest.value AS value, known.stop AS stop, known.frame_ids AS frame_ids
FROM largest
LEFT JOIN
(
    SELECT service, stack_id, any(stop) AS stop, any(frame_ids) AS frame_ids
    FROM stacks
    WHERE (service, stack_id) IN (SELECT service, stack_id FROM largest)
    GROUP BY service, stack_id
) AS known ON largest.service = known.service AND largest.stack_id = known.stack_id
