-- What is known of the frames in $lists, a list of IDs a row: the row of the highest version.
SELECT $columns
FROM frames FINAL
WHERE frame_id IN (SELECT arrayJoin(frame_ids) FROM $lists)
