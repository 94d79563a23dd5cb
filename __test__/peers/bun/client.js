'use strict';

// A client of Bun's: bun client.js URL [CA]; sends messages and prints "ok" when all echoes are right.

const fs = require('node:fs');

const [url, ca] = process.argv.slice(2);
const payloads = ['', 'short', 'the same again '.repeat(10), 'the same again '.repeat(10)];
for (const size of [1000, 70_000, 2_000_000]) payloads.push('0123456789abcdef'.repeat(size / 16));
payloads.push(crypto.getRandomValues(new Uint8Array(50_000)));

const ws = new WebSocket(url, ca && { tls: { ca: fs.readFileSync(ca) } });
ws.binaryType = 'arraybuffer';
let next = 0;

function send() {
  if (next === payloads.length) {
    console.log(`ok ${ws.extensions}`);
    ws.close(1000);
  } else {
    ws.send(payloads[next]);
  }
}

ws.onopen = send;
ws.onmessage = ({ data }) => {
  const sent = payloads[next++];
  const isSame =
    typeof sent === 'string'
      ? data === sent
      : Buffer.compare(Buffer.from(data), Buffer.from(sent)) === 0;
  if (!isSame) {
    console.log(`echo ${next} is not what was sent`);
    process.exit(1);
  }
  send();
};
ws.onerror = () => process.exit(1);
