-- The tree of a service of a type at a time.
SELECT incomplete, unknown, parents, frame_ids, stops, totals, pruned, pruned_nodes
FROM $trees FINAL
WHERE type = {type:String}
    AND service = {service:String}
    AND ts = toDateTime({start_s:Int64}, 'UTC')
