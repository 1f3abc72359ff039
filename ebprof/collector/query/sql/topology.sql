-- Edges by the ends that are shown, all others being ~other.
SELECT
    if(client_end IN (SELECT end FROM topology_shown), client_end, ('other', '~other')) AS client,
    if(server_end IN (SELECT end FROM topology_shown), server_end, ('other', '~other')) AS server,
    client.1 AS client_kind,
    client.2 AS client_name,
    server.1 AS server_kind,
    server.2 AS server_name,
    is_counted,
    max(edges.has_client) AS has_client,
    max(edges.has_server) AS has_server,
    max(edges.is_apart) AS is_apart,
    groupUniqArrayArray(100)(edges.client_nodes) AS client_nodes,
    groupUniqArrayArray(100)(edges.server_nodes) AS server_nodes,
    $of_edges,
    sum(edges.both_client) AS both_client,
    sum(edges.both_server) AS both_server,
    max(edges.apart_s) AS apart_s
FROM topology_edges AS edges
GROUP BY client, server, is_counted
ORDER BY tx_bytes + rx_bytes DESC, client, server, is_counted
