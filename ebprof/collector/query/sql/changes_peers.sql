-- Addresses of nobody that is known, those that moved most. $matching: conditions.
SELECT peer FROM flows
WHERE peer_service = '' AND peer_process = '' AND $raw
    AND (($matching) OR (role = 'client' AND (peer, port) IN (SELECT local, port FROM ends)))
GROUP BY peer
ORDER BY sum(tx_bytes + rx_bytes) DESC, peer
LIMIT {peers:UInt64}
