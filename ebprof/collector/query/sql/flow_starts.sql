-- When windows of flows began, to a step.
SELECT DISTINCT intDiv(toUnixTimestamp64Milli(ts), {step:Int64}) * {step:Int64} AS start
FROM flows
WHERE ts >= fromUnixTimestamp64Milli({from:Int64})
    AND ts < fromUnixTimestamp64Milli({to:Int64})
ORDER BY start
