-- Addresses in a file that have no names yet, or were given some by less than there is now.
SELECT frame_id, module, address
FROM file_addresses FINAL
WHERE build_id = {build_id:String} AND version < {version:UInt64}
ORDER BY address
LIMIT {most:UInt64}
