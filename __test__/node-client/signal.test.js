'use strict';

// The option signal of http.request.

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { HOST } = require('../support/helpers');
const { connect, converse, dial, eachWay, failure } = require('./support/clients');
const { refusal, upgradeServer } = require('./support/servers');

function isAbort(err) {
  assert.strictEqual(err.name, 'AbortError');
  assert.strictEqual(err.code, 'ABORT_ERR');
}

eachWay('aborted before', async (t, options) => {
  const server = await upgradeServer(t);
  isAbort(await failure(dial(t, server.url, options({ signal: AbortSignal.abort() }))));
  assert.strictEqual(server.requests.length, 0);
});

eachWay('aborted while the server has not answered', async (t, options) => {
  const server = await upgradeServer(t, { answer: () => {} });
  const controller = new AbortController();
  const client = dial(t, server.url, options({ signal: controller.signal }));
  const peer = await server.next();
  const failed = failure(client);
  controller.abort();
  isAbort(await failed);
  await peer.end();
});

eachWay('aborted after a redirect', async (t, options) => {
  const server = await upgradeServer(t, {
    answer(peer, req) {
      if (req.url === '/') peer.write(refusal(302, ['Location: /silent']));
    }
  });
  const controller = new AbortController();
  const settings = options({ followRedirects: true, signal: controller.signal });
  const client = dial(t, server.url, settings);
  await server.next();
  await server.next();
  const failed = failure(client);
  controller.abort();
  isAbort(await failed);
});

eachWay('no effect on an open client', async (t, options) => {
  const server = await upgradeServer(t);
  const controller = new AbortController();
  const client = await connect(t, server.url, options({ signal: controller.signal }));
  controller.abort();
  await converse(client, await server.next());
  assert.strictEqual(client.readyState, WebSocket.OPEN);
});

eachWay('what is no signal is a TypeError', (t, options) => {
  for (const signal of [{}, 7, 'x']) {
    assert.throws(() => new WebSocket(`ws://${HOST}:1`, options({ signal })), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE'
    });
  }
});
