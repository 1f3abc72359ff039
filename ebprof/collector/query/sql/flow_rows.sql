-- Some columns of flows in a range, for queries that this stands in.
SELECT $columns FROM flows WHERE $raw
