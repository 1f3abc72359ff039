-- Frames and stop reason of the stacks in the temporary table `largest`; some may be there twice.
SELECT stack_id, stop, frame_ids
FROM stacks
WHERE $services AND stack_id IN (SELECT stack_id FROM largest)
