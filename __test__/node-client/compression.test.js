'use strict';

// The client's half of the negotiation of permessage-deflate.

const assert = require('node:assert');
const { WebSocketServer } = require('../support/impl');
const { HOST, echo, messages, once } = require('../support/helpers');
const { OP } = require('../support/raw-peer');
const { connect, dial, eachWay, failure } = require('./support/clients');
const { redirect, switching, upgradeServer } = require('./support/servers');

const HELLO = Buffer.from('f248cdc9c90700', 'hex'); // RFC 7692 section 7.2.3.1
const INVALID = 'Invalid Sec-WebSocket-Extensions header';
const NONE_REQUESTED =
  'Server sent a Sec-WebSocket-Extensions header but no extension was requested';

/** An `answer` of `upgradeServer` with this Sec-WebSocket-Extensions field. */
const extensions = (value) => (peer, req) =>
  peer.write(switching(req, [`Sec-WebSocket-Extensions: ${value}`]));

for (const [perMessageDeflate, expected] of [
  [true, 'permessage-deflate; client_max_window_bits'],
  [{ clientMaxWindowBits: 10 }, 'permessage-deflate; client_max_window_bits=10'],
  [{ clientMaxWindowBits: false }, 'permessage-deflate'],
  [
    { clientNoContextTakeover: true },
    'permessage-deflate; client_no_context_takeover; client_max_window_bits'
  ],
  [
    { serverNoContextTakeover: true, serverMaxWindowBits: 9, clientMaxWindowBits: false },
    'permessage-deflate; server_no_context_takeover; server_max_window_bits=9'
  ],
  [false, undefined]
]) {
  eachWay(`offer: perMessageDeflate ${JSON.stringify(perMessageDeflate)}`, async (t, options) => {
    const server = await upgradeServer(t);
    const client = await connect(t, server.url, options({ perMessageDeflate }));
    assert.strictEqual(server.requests[0].headers['sec-websocket-extensions'], expected);
    assert.strictEqual(client.extensions, '');
  });
}

eachWay('accepted: messages are compressed both ways', async (t, options) => {
  const server = await upgradeServer(t, { answer: extensions('permessage-deflate') });
  const client = await connect(t, server.url, options({ perMessageDeflate: true }));
  assert.strictEqual(client.extensions, 'permessage-deflate');
  const peer = await server.next();
  const received = once(client, 'message');
  peer.send(OP.TEXT, HELLO, { rsv1: true });
  assert.deepStrictEqual(await received, [Buffer.from('Hello'), false]);
  client.send('x'.repeat(10000));
  const compressed = await peer.frame();
  assert.strictEqual(compressed.rsv1, true);
  assert.ok(compressed.payload.length < 100);
  client.send('plain', { compress: false });
  const plain = await peer.frame();
  assert.deepStrictEqual([plain.rsv1, String(plain.payload)], [false, 'plain']);
});

for (const [title, value, message, perMessageDeflate = true] of [
  ['no grammar', 'permessage-deflate;', INVALID],
  ['an unknown parameter', 'permessage-deflate; foo', INVALID],
  ['a bad value', 'permessage-deflate; server_max_window_bits=7', INVALID],
  ['client_max_window_bits without a value', 'permessage-deflate; client_max_window_bits', INVALID],
  [
    'a parameter that was excluded',
    'permessage-deflate; client_max_window_bits=10',
    INVALID,
    { clientMaxWindowBits: false }
  ],
  ['another extension', 'foo', 'Server indicated an extension that was not requested'],
  [
    'a larger window than offered',
    'permessage-deflate; client_max_window_bits=11',
    INVALID,
    { clientMaxWindowBits: 10 }
  ],
  [
    'a takeover that was excluded',
    'permessage-deflate; client_no_context_takeover',
    INVALID,
    { clientNoContextTakeover: false }
  ],
  ['an empty header', '', INVALID],
  ['an extension, and none was requested', 'permessage-deflate', NONE_REQUESTED, false],
  [
    'one extension too many',
    'permessage-deflate, foo',
    'Server indicated an extension that was not requested'
  ]
]) {
  eachWay(`refused: ${title}`, async (t, options) => {
    const server = await upgradeServer(t, { answer: extensions(value) });
    const client = dial(t, server.url, options({ perMessageDeflate }));
    const err = await failure(client, { sameTick: false });
    assert.strictEqual(err.message, message);
  });
}

eachWay('a large message there and back, and repeated', async (t, options) => {
  const wss = new WebSocketServer({ port: 0, host: HOST, perMessageDeflate: true });
  t.after(() => wss.close());
  wss.on('connection', echo);
  await once(wss, 'listening');
  const url = `ws://${HOST}:${wss.address().port}`;
  const client = await connect(t, url, options({ perMessageDeflate: true }));
  const data = Buffer.alloc(1 << 20, 'what is sent more than once, ');
  const got = messages(client, 3);
  for (let i = 0; i < 3; i++) client.send(data);
  for (const [received, isBinary] of await got) assert.ok(isBinary && received.equals(data));
});

eachWay('the offer goes along with a redirect', async (t, options) => {
  const target = await upgradeServer(t, { answer: extensions('permessage-deflate') });
  const server = await upgradeServer(t, { answer: redirect(target.url) });
  const client = await connect(
    t,
    server.url,
    options({ perMessageDeflate: true, followRedirects: true })
  );
  assert.strictEqual(client.extensions, 'permessage-deflate');
  for (const { requests } of [server, target]) {
    const offer = requests[0].headers['sec-websocket-extensions'];
    assert.strictEqual(offer, 'permessage-deflate; client_max_window_bits');
  }
});
