-- The stacks of the temporary table `chosen` that are looked at.
SELECT service, stack_id, value FROM chosen ORDER BY value DESC, stack_id LIMIT {most:UInt64}
