-- Each row with both ends, as kind and name. pair: what rows of the same connections, seen from
-- either end, have in common: of those that met on a node no more than both names, which the other
-- end, at least, knows (is_half_met). is_apart: the other end did not see this end's address, only its own.
-- is_counted: no other row has the same bytes and a name where this one has none.
SELECT
    node, is_client, is_selected, is_apart, first, last, $counts,
    ('value', own) AS near_end,
    multiIf(
        is_met, ('value', opposite),
        is_outside, (if(far = '~other', 'other', 'outside'), far),
        length(names) = 1, ('value', names[1]),
        length(names) > 1, ('shared', '~shared'),
        $machine
    ) AS far_end,
    if(is_client, near_end, far_end) AS client_end,
    if(is_client, far_end, near_end) AS server_end,
    if(is_met OR is_half_met, ('', '', '', 0), (scope, if(is_apart, '', client), server, port)) AS pair,
    multiIf(
        length(names) < 2, 1,
        NOT is_client, 0,
        is_exact, length(clients) != 1,
        NOT (length(clients_at_home) = 1 AND has_servers_of_home)
    ) AS is_counted
FROM
(
    SELECT
        *,
        multiIf(
            is_met, [],
            is_exact, if(is_client, servers, clients),
            is_half_met, if(is_client, met_servers, met_clients),
            is_lone, if(is_client, listeners, clients_at_home),
            []
        ) AS names,
        is_lone AND notEmpty(names) AS is_apart
    FROM
    (
        SELECT
            *,
            groupUniqArrayIf(2)(own, is_lone AND is_client) OVER of_home AS clients_at_home,
            countIf(is_lone AND NOT is_client) OVER of_home > 0 AS has_servers_of_home
        FROM
        (
            SELECT
                *,
                if(notEmpty(servers_on_node), servers_on_node, servers_anywhere) AS servers,
                if(notEmpty(clients_on_node), clients_on_node, clients_anywhere) AS clients,
                if(notEmpty(listeners_on_node), listeners_on_node, listeners_anywhere) AS listeners,
                is_unmet AND notEmpty(if(is_client, servers, clients)) AS is_exact,
                is_unmet AND NOT is_exact
                    AND notEmpty(if(is_client, met_servers, met_clients)) AS is_half_met,
                is_unmet AND NOT is_exact AND NOT is_half_met AS is_lone
            FROM topology_met
        )
        WINDOW of_home AS (PARTITION BY if(is_client, node, home), scope, server, port)
    )
)
