-- Each row with who else was seen at its addresses: two names say that there are several.
-- Ends on one node that did not meet in the kernel are looked for there first, as networks of
-- several nodes may have the same addresses.
SELECT
    seen.*,
    if(seen.scope != '', seen.node, homes.home) AS home,
    groupUniqArrayIf(2)(own, is_unmet AND NOT is_client) OVER on_node AS servers_on_node,
    groupUniqArrayIf(2)(own, is_unmet AND is_client) OVER on_node AS clients_on_node,
    groupUniqArrayIf(2)(own, is_met AND NOT is_client) OVER on_node AS met_servers,
    groupUniqArrayIf(2)(own, is_met AND is_client) OVER on_node AS met_clients,
    groupUniqArrayIf(2)(own, is_unmet AND NOT is_client) OVER anywhere AS servers_anywhere,
    groupUniqArrayIf(2)(own, is_unmet AND is_client) OVER anywhere AS clients_anywhere,
    groupUniqArrayIf(2)(own, NOT is_client) OVER port_on_node AS listeners_on_node,
    groupUniqArrayIf(2)(own, NOT is_client) OVER port_anywhere AS listeners_anywhere
FROM
(
    SELECT *, NOT is_met AND NOT is_outside AS is_unmet, if(is_client, server, client) AS far
    FROM topology_seen
) AS seen
LEFT ANY JOIN topology_homes AS homes ON homes.address = seen.far
WINDOW
    on_node AS (PARTITION BY node, client, server, port),
    anywhere AS (PARTITION BY scope, client, server, port),
    port_on_node AS (PARTITION BY node, server, port),
    port_anywhere AS (PARTITION BY scope, server, port)
