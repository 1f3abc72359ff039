-- Addresses of nodes that agents are on, and the node, empty where several have the address.
SELECT local AS address, if(uniqExact(node) = 1, any(node), '') AS home
FROM flows_1h
WHERE ts >= toDateTime(intDiv({since:Int64}, 1000), 'UTC')
    AND ts < toDateTime(intDiv({until:Int64}, 1000), 'UTC')
    AND local NOT IN ('', '0.0.0.0', '::')
    AND NOT ($local_is_loopback)
GROUP BY address
