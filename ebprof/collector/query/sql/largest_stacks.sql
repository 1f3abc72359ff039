-- The stacks of the temporary table `chosen` that are looked at; no other has more than `least`.
SELECT stack_id, value
FROM chosen
WHERE value >= {least:Int64}
ORDER BY value DESC, stack_id
LIMIT {most:UInt64}
