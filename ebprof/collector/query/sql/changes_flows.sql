-- Flows by step in a plan's ranges: those that are selected (is_own), and those of clients of `ends`.
-- $matching: conditions. Addresses of nobody that is known are `~other`, unless they are in `large`.
SELECT
    is_own, node, service, process, role, whom AS peer, local, port, peer_service, peer_process,
    min(first_pid) AS pid,
    max(last_pid) AS other_pid,
    min(first_peer) AS peer_pid,
    max(last_peer) AS other_peer_pid,
    groupArray(point) AS points,
    groupArray(rx) AS bytes_in,
    groupArray(tx) AS bytes_out,
    groupArray(made) AS connections,
    groupArray(failed) AS failures
FROM
(
    SELECT
        is_own, node, service, process, role, whom, local, port, peer_service, peer_process, point,
        min(pid) AS first_pid,
        max(pid) AS last_pid,
        min(peer_pid) AS first_peer,
        max(peer_pid) AS last_peer,
        sum(rx_bytes) AS rx,
        sum(tx_bytes) AS tx,
        sum(connections) AS made,
        sum($failed) AS failed
    FROM
    (
        SELECT
            toUInt8($matching) AS is_own, node, service, process, pid, role, local, port,
            peer_service, peer_process, peer_pid,
            if(peer_service != '' OR peer_process != '' OR peer IN (SELECT peer FROM large), peer, '~other') AS whom,
            intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS point,
            $counts
        FROM flows
        WHERE (($matching) OR (role = 'client' AND (peer, port) IN (SELECT local, port FROM ends)))
            AND $raw
        UNION ALL
        SELECT
            toUInt8($matching) AS is_own, node, service, process, toUInt32(0) AS pid, role, local, port,
            peer_service, peer_process, toUInt32(0) AS peer_pid,
            if(peer_service != '' OR peer_process != '' OR peer IN (SELECT peer FROM large), peer, '~other') AS whom,
            toInt64(toUnixTimestamp(ts)) * 1000 AS point,
            $counts
        FROM flows_1h
        WHERE (($matching) OR (role = 'client' AND (peer, port) IN (SELECT local, port FROM ends)))
            AND $hours
    )
    GROUP BY
        is_own, node, service, process, role, whom, local, port, peer_service, peer_process, point
) AS summed
GROUP BY is_own, node, service, process, role, whom, local, port, peer_service, peer_process
ORDER BY sum(rx + tx) DESC, service, whom, peer_service, peer_process
LIMIT {most:UInt64}
