-- How many ends are not shown.
SELECT countIf(end NOT IN (SELECT end FROM topology_shown)) AS hidden
FROM (SELECT DISTINCT arrayJoin([client_end, server_end]) AS end FROM topology_edges)
