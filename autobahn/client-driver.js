'use strict';

// The echo client that Autobahn's fuzzing server tests; run-client-test.sh sets AUTOBAHN_URL.

const { WebSocket } = require('../__test__/support/impl.js');

const url = process.env.AUTOBAHN_URL;
const agent = 'testee';
const options = {
  perMessageDeflate: true,
  maxPayload: 128 * 1024 * 1024,
  maxFragments: 0 // 9.3.1, 9.3.2, 9.4.1 and 9.4.2 send more fragments than the default allows
};

/** Resolves with the last message once the connection has closed, for whatever reason. */
function talk(path, { echo }) {
  return new Promise((resolve) => {
    const ws = new WebSocket(url + path, options);
    let last;
    ws.on('message', (data, isBinary) => {
      last = data;
      if (echo) ws.send(data, { binary: isBinary });
    });
    ws.on('error', () => {}); // most cases break the protocol
    ws.on('close', () => resolve(last));
  });
}

async function main() {
  const count = Number(await talk('/getCaseCount', { echo: false }));
  for (let n = 1; n <= count; n++) {
    await talk(`/runCase?case=${n}&agent=${agent}`, { echo: true });
  }
  await talk(`/updateReports?agent=${agent}`, { echo: false });
}

main();
