// Truth: half of the samples of the main thread have `loops` below `work`, half `recurse` at its full
// depth of 20 calls; both spin in `burn`. It prints "ready" when all of them are compiled.
'use strict';
const UNIT = 100000;
const DEPTH = 20;
const ROUNDS = 200;
const WARM_UP = 100000;
let unit = 1;
let sink = 0;

function burn(iterations) {
    let x = iterations | 1;
    for (let i = 0; i < iterations; i++)
        x = (Math.imul(x, 1103515245) + 12345) | 0;
    return x;
}

function loops() {
    return burn(unit) ^ 1;
}

function recurse(depth) {
    return (depth > 1 ? recurse(depth - 1) : burn(unit)) + 1;
}

function work() {
    sink ^= loops();
    sink ^= recurse(DEPTH);
}

for (let i = 0; i < WARM_UP; i++)
    work();
unit = UNIT;
for (let i = 0; i < ROUNDS; i++)
    work();
console.log('ready');
for (;;)
    work();
