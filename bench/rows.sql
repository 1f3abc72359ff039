-- Frames, 2,000 of each service.
INSERT INTO frames
SELECT
    cityHash64(intDiv(number, 2000), number % 2000),
    concat('/usr/bin/service-', toString(intDiv(number, 2000))),
    '',
    0,
    [concat('ns::Class', toString(number % 97), '::method_', toString(number % 2000), '(int)')],
    [''],
    ['a.cc'],
    [number % 1000],
    1
FROM numbers({services:UInt64} * 2000);
-- Stacks of 24 frames: the outer half is one of 16 a service.
INSERT INTO stacks
SELECT
    concat('service-', toString(service)),
    reinterpretAsFixedString(sipHash128(toUInt64(service), toUInt64(k))),
    'complete',
    arrayMap(
        i -> cityHash64(
            service,
            if(i < 12, cityHash64(service, k, i), cityHash64(service, k % 16, i)) % 2000
        ),
        range(24)
    ),
    today()
FROM
(
    SELECT
        if(number < {largest:UInt64}, 0, 1 + (number - {largest:UInt64}) % ({services:UInt64} - 1))
            AS service,
        if(
            number < {largest:UInt64},
            number,
            intDiv(number - {largest:UInt64}, {services:UInt64} - 1)
        ) AS k
    FROM numbers({first:UInt64}, {count:UInt64})
);
-- Series, 20 of each service.
INSERT INTO series
SELECT
    today() - intDiv(number, {services:UInt64} * 20),
    concat('service-', toString(intDiv(number % ({services:UInt64} * 20), 20))),
    number % ({services:UInt64} * 20),
    number % ({services:UInt64} * 20),
    map(
        'service_name', concat('service-', toString(intDiv(number % ({services:UInt64} * 20), 20))),
        'node', concat('node-', toString(number % 20))
    )
FROM numbers(32 * {services:UInt64} * 20);
-- Samples of 24 hours, a fifth of them of the largest service; few stacks are seen often.
INSERT INTO samples
SELECT
    fromUnixTimestamp64Milli({end:Int64} - 10000 * toInt64(1 + cityHash64(number, 1) % 8639)),
    'cpu',
    concat('service-', toString(service)),
    service * 20 + cityHash64(number, 2) % 20,
    reinterpretAsFixedString(sipHash128(
        service,
        toUInt64(
            if(service = 0, {largest:UInt64}, intDiv({stacks:UInt64} - {largest:UInt64}, {services:UInt64} - 1))
            * pow(cityHash64(number, 3) / 18446744073709551616., 3)
        )
    )),
    52631578 * (1 + cityHash64(number, 4) % 3)
FROM
(
    SELECT
        number,
        toUInt64(if(number % 5 = 0, 0, 1 + intDiv(number, 5) % ({services:UInt64} - 1))) AS service
    FROM numbers({first:UInt64}, {count:UInt64})
);
-- Their sums by hour, of a service.
INSERT INTO samples_1h
SELECT toStartOfHour(ts) AS hour, type, service, series_id, stack_id, sum(value)
FROM samples
WHERE type = 'cpu' AND service = concat('service-', toString({service:UInt64}))
GROUP BY hour, type, service, series_id, stack_id;
-- Their sums by day, of a service.
INSERT INTO samples_1d
SELECT toStartOfDay(ts) AS day, type, service, rollup_series_id, stack_id, sum(value)
FROM samples_1h
WHERE type = 'cpu' AND service = concat('service-', toString({service:UInt64}))
GROUP BY day, type, service, rollup_series_id, stack_id;
-- The sums of 24 hours of two services as if they were those of an earlier day.
INSERT INTO samples_1d
SELECT
    toDateTime({today:Int64} - 86400 * {ago:Int64}, 'UTC'),
    type, service, rollup_series_id, stack_id, sum(value)
FROM samples_1d
WHERE type = 'cpu'
    AND service IN ('service-0', 'service-7')
    AND ts >= toDateTime({today:Int64} - 86400, 'UTC')
GROUP BY type, service, rollup_series_id, stack_id;
-- Sums over all series, by hour, of a service.
INSERT INTO services_1h
SELECT ts, type, service, stack_id, sum(value)
FROM samples_1h
WHERE type = 'cpu' AND service = concat('service-', toString({service:UInt64}))
GROUP BY ts, type, service, stack_id;
-- The same by day.
INSERT INTO services_1d
SELECT ts, type, service, stack_id, sum(value)
FROM samples_1d
WHERE type = 'cpu' AND service = concat('service-', toString({service:UInt64}))
GROUP BY ts, type, service, stack_id;
-- Those of earlier days as if all of it were in the first hour.
INSERT INTO services_1h
SELECT ts, type, service, stack_id, value
FROM services_1d
WHERE ts < toDateTime({today:Int64} - 86400, 'UTC');
-- Sums over all stacks, by hour.
INSERT INTO totals_1h
SELECT ts, type, service, sum(value) FROM services_1h GROUP BY ts, type, service;
