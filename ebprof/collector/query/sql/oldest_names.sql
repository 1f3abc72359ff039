-- Files that addresses were pushed of, and the least that any of these has names by.
SELECT build_id, min(version) AS version
FROM file_addresses FINAL
GROUP BY build_id
