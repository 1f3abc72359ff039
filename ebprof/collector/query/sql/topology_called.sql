-- The addresses of no agent that moved most bytes as servers.
SELECT peer AS address
FROM
(
$rows
) AS flows
WHERE role = 'client'
    AND NOT ($is_met)
    AND NOT ($peer_is_loopback)
    AND peer NOT IN (SELECT address FROM topology_homes)
GROUP BY address
ORDER BY sum(tx_bytes + rx_bytes) DESC, address
LIMIT {outside:UInt64}
