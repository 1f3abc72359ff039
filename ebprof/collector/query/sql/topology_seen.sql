-- Flows of both roles by the two addresses and the server's port, as one end's node saw them. own:
-- that end; opposite: the one it met on its node. Addresses of no agent are put together: those called
-- beyond the largest, and callers by their network, but for those that an enricher has a name for.
SELECT
    node, is_client, own, is_met, opposite, is_outside, client, server, port,
    if($server_is_loopback, node, '') AS scope,
    max(is_selected) AS is_selected,
    min(at) AS first,
    max(at) AS last,
    $of_flows
FROM
(
    SELECT
        *,
        if(is_client, local, far) AS client,
        if(is_client, far, local) AS server
    FROM
    (
        SELECT
            *,
            CAST(role = 'client', 'UInt8') AS is_client,
            $own AS own,
            CAST($is_met, 'UInt8') AS is_met,
            if(is_met, $opposite, '') AS opposite,
            CAST($matching, 'UInt8') AS is_selected,
            NOT is_met
                AND NOT ($peer_is_loopback)
                AND peer NOT IN (SELECT address FROM topology_homes) AS is_outside,
            multiIf(
                NOT is_outside, peer,
                $named != '', $named,
                NOT is_client, $network,
                peer IN (SELECT address FROM topology_called), peer,
                '~other'
            ) AS far
        FROM
        (
$rows
        )
        WHERE role IN ('client', 'server')
    )
) AS flows
GROUP BY node, is_client, own, is_met, opposite, is_outside, client, server, port, scope
LIMIT {rows:UInt64}
