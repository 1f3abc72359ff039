-- What is known of the frames in the temporary table `shown`: the row of the highest version.
SELECT frame_id, module, build_id, address, names, system_names, files, lines
FROM frames FINAL
WHERE frame_id IN (SELECT arrayJoin(frame_ids) FROM shown)
