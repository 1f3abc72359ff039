-- Ends that are shown: of each, within and outside, those that moved most bytes.
SELECT end
FROM
(
    SELECT
        end,
        row_number() OVER (PARTITION BY end.1 = 'outside' ORDER BY sum(moved) DESC, end) AS place
    FROM
    (
        SELECT arrayJoin([client_end, server_end]) AS end, tx_bytes + rx_bytes AS moved
        FROM topology_edges
    )
    GROUP BY end
)
WHERE place <= if(end.1 = 'outside', {outside:UInt64}, {most:UInt64})
