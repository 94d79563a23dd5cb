'use strict';

// Answers that are no good opening handshake.

const assert = require('node:assert');
const { acceptFor } = require('../support/raw-peer');
const { dial, eachWay, failure } = require('./support/clients');
const { switching, upgradeServer } = require('./support/servers');

const NO_EXTENSION = 'Server sent a Sec-WebSocket-Extensions header but no extension was requested';
const acceptOf = (req) => acceptFor(req.headers['sec-websocket-key']);
const lines = (...list) => [...list, '', ''].join('\r\n');
const STATUS = 'HTTP/1.1 101 Switching Protocols';

// [title, answer, message, protocols]
const invalid = [
  ['Upgrade: foo', (req) => switching(req).replace('websocket', 'foo'), 'Invalid Upgrade header'],
  [
    'a wrong accept value',
    () => lines(STATUS, 'Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: x='),
    'Invalid Sec-WebSocket-Accept header'
  ],
  [
    'no accept value',
    () => lines(STATUS, 'Upgrade: websocket', 'Connection: Upgrade'),
    'Invalid Sec-WebSocket-Accept header'
  ],
  [
    'an accept value of another case',
    (req) => switching(req).replace(acceptOf(req), acceptOf(req).toLowerCase()),
    'Invalid Sec-WebSocket-Accept header'
  ],
  [
    'a repeated accept value',
    (req) => switching(req, [`Sec-WebSocket-Accept: ${acceptOf(req)}`]),
    'Invalid Sec-WebSocket-Accept header'
  ],
  [
    'the accept value of another key',
    () => switching({ headers: { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' } }),
    'Invalid Sec-WebSocket-Accept header'
  ],
  [
    'a subprotocol when none was requested',
    (req) => switching(req, ['Sec-WebSocket-Protocol: a']),
    'Server sent a subprotocol but none was requested'
  ],
  [
    'another subprotocol',
    (req) => switching(req, ['Sec-WebSocket-Protocol: c']),
    'Server sent an invalid subprotocol',
    ['a', 'b']
  ],
  [
    'two subprotocols',
    (req) => switching(req, ['Sec-WebSocket-Protocol: a, b']),
    'Server sent an invalid subprotocol',
    ['a', 'b']
  ],
  ['no subprotocol', (req) => switching(req), 'Server sent no subprotocol', ['a', 'b']],
  [
    'an extension when none was requested',
    (req) => switching(req, ['Sec-WebSocket-Extensions: permessage-deflate']),
    NO_EXTENSION
  ],
  [
    'an extension header that is no good, when none was requested',
    (req) => switching(req, ['Sec-WebSocket-Extensions: ;;']),
    NO_EXTENSION
  ]
];

for (const [title, answer, message, protocols = []] of invalid) {
  eachWay(title, async (t, options) => {
    const server = await upgradeServer(t, { answer: (peer, req) => peer.write(answer(req)) });
    // ws destroys the socket with the error, so 'close' follows in a later tick
    const err = await failure(dial(t, server.url, protocols, options()), { sameTick: false });
    assert.strictEqual(err.constructor, Error);
    assert.strictEqual(err.message, message);
    await (await server.next()).end();
  });
}

eachWay('an Upgrade field of another case is good', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer, req) => peer.write(switching(req).replace('websocket', 'WebSocket'))
  });
  const client = dial(t, server.url, options());
  await new Promise((resolve, reject) => client.on('open', resolve).on('error', reject));
});

eachWay('a 1xx before the 101 is skipped', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer, req) =>
      peer.write(lines('HTTP/1.1 103 Early Hints', 'Link: </x>') + switching(req))
  });
  const client = dial(t, server.url, options());
  await new Promise((resolve, reject) => client.on('open', resolve).on('error', reject));
});

eachWay('no HTTP: a parse error with an HPE_ code', async (t, options) => {
  const server = await upgradeServer(t, {
    answer: (peer) => peer.write('this is no HTTP\r\n\r\n')
  });
  const err = await failure(dial(t, server.url, options()));
  assert.match(err.code, /^HPE_/);
  assert.match(err.message, /^Parse Error/);
});

for (const [title, bytes] of [
  ['the end', ''],
  ['half an answer, then the end', `${STATUS}\r\nUpgr`]
]) {
  eachWay(`${title}: socket hang up`, async (t, options) => {
    const server = await upgradeServer(t, { answer: (peer) => peer.socket.end(bytes) });
    const err = await failure(dial(t, server.url, options()));
    assert.strictEqual(err.code, 'ECONNRESET');
    assert.strictEqual(err.message, 'socket hang up');
  });
}

eachWay('a reset: ECONNRESET', async (t, options) => {
  const server = await upgradeServer(t, { answer: (peer) => peer.socket.resetAndDestroy() });
  const err = await failure(dial(t, server.url, options()));
  assert.strictEqual(err.code, 'ECONNRESET');
});
