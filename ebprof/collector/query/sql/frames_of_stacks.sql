-- Frames and stop reason of each stack in the temporary table `chosen`.
SELECT chosen.value AS value, known.stop AS stop, known.frame_ids AS frame_ids
FROM chosen
LEFT JOIN
(
    SELECT service, stack_id, any(stop) AS stop, any(frame_ids) AS frame_ids
    FROM stacks
    WHERE (service, stack_id) IN (SELECT service, stack_id FROM chosen)
    GROUP BY service, stack_id
) AS known ON chosen.service = known.service AND chosen.stack_id = known.stack_id
