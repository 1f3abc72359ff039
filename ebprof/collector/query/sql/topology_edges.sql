-- Edges by both ends, bytes from the client's point of view. Of connections that both ends saw, the
-- client's side is used, unless the server's has more by more than noise.
SELECT
    client_end, server_end, is_counted,
    max(pairs.has_client) AS has_client,
    max(pairs.has_server) AS has_server,
    max(pairs.is_apart) AS is_apart,
    groupUniqArrayArray(100)(pairs.client_nodes) AS client_nodes,
    groupUniqArrayArray(100)(pairs.server_nodes) AS server_nodes,
    $used,
    $of_pairs,
    sumIf(pairs.client_moved, pairs.has_both) AS both_client,
    sumIf(pairs.server_moved, pairs.has_both) AS both_server,
    maxIf(pairs.apart_s, pairs.has_both) AS apart_s
FROM
(
    SELECT
        client_end, server_end, is_counted,
        countIf(is_client) > 0 AS has_client,
        countIf(NOT is_client) > 0 AS has_server,
        has_client AND has_server AS has_both,
        greatest(
            abs(minIf(first, is_client) - minIf(first, NOT is_client)),
            abs(maxIf(last, is_client) - maxIf(last, NOT is_client))
        ) AS apart_s,
        max(is_apart) AS is_apart,
        groupUniqArrayIf(100)(node, is_client) AS client_nodes,
        groupUniqArrayIf(100)(node, NOT is_client) AS server_nodes,
        $of_client,
        $of_server,
        client_tx_bytes + client_rx_bytes AS client_moved,
        server_tx_bytes + server_rx_bytes AS server_moved,
        has_client AND (
            NOT has_server
            OR client_moved + {noise_bytes:Float64} + {noise:Float64} * server_moved >= server_moved
        ) AS uses_client
    FROM topology_named
    GROUP BY client_end, server_end, is_counted, pair
    HAVING max(is_selected)
) AS pairs
GROUP BY client_end, server_end, is_counted
