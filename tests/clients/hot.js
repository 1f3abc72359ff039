// Three quarters of its time are `hot`'s: node hot.js URL SECONDS.
const pyroscope = require('@pyroscope/nodejs');

function hot(rounds) {
  let total = 0;
  for (let i = 0; i < rounds; i++) total += Math.sqrt(i * i + 1);
  return total;
}

function cold(rounds) {
  let total = 0;
  for (let i = 0; i < rounds; i++) total += Math.sqrt(i * i + 1);
  return total;
}

async function work(seconds) {
  const start = process.cpuUsage();
  while (process.cpuUsage(start).user < seconds * 1e6) {
    hot(3e6);
    cold(1e6);
    await new Promise(resolve => setImmediate(resolve));
  }
  await pyroscope.stop();
}

pyroscope.init({
  serverAddress: process.argv[2],
  appName: 'node-client',
  tags: { region: 'eu' },
  wall: { samplingIntervalMicros: 5000 },
});
pyroscope.start();
work(Number(process.argv[3])).then(() => process.exit(0));
