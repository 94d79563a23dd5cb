'use strict';

// The server's half of the negotiation of permessage-deflate: RFC 7692 section 7.1, RFC 6455
// section 9.1.

const assert = require('node:assert');
const WebSocket = require('./support/impl');
const { echo, hawserTest, messages, once, pair, serve, test } = require('./support/helpers');
const {
  OP,
  SAMPLE_KEY,
  acceptFor,
  rawClient,
  rawConnect,
  upgradeRequest
} = require('./support/raw-peer');
const { NAME, compressedFrame, extensionsOf, inflated, offering } = require('./support/deflate');

const REFUSED = 'Invalid or unacceptable Sec-WebSocket-Extensions header';

/** The Sec-WebSocket-Extensions that a server answers to `offer`. */
async function answerTo(t, perMessageDeflate, offer) {
  const wss = await serve(t, { perMessageDeflate });
  const raw = await rawClient(t, wss.testPort, offering(offer));
  return extensionsOf(raw.response);
}

/** All that a server answers to a request that it refuses. */
async function refusal(t, port, offer) {
  const raw = await rawConnect(t, port);
  raw.write(upgradeRequest(offering(offer)));
  return (await raw.rest()).toString('latin1');
}

const REFUSAL = [
  'HTTP/1.1 400 Bad Request',
  'Connection: close',
  'Content-Type: text/html',
  `Content-Length: ${REFUSED.length}`,
  '',
  REFUSED
].join('\r\n');

// [option of the server, the offers, the answer, both without the name]
for (const [option, offer, answer] of [
  [true, '', ''],
  [{}, '', ''],
  [true, 'client_max_window_bits', ''],
  [true, 'client_max_window_bits=10', 'client_max_window_bits=10'],
  [true, 'client_max_window_bits="10"', 'client_max_window_bits=10'],
  [true, 'client_max_window_bits=8', 'client_max_window_bits=8'],
  [true, 'server_max_window_bits=9', 'server_max_window_bits=9'],
  [true, 'server_max_window_bits=15', 'server_max_window_bits=15'],
  [true, 'server_no_context_takeover', 'server_no_context_takeover'],
  [true, 'client_no_context_takeover', 'client_no_context_takeover'],
  // the parameters keep the order of the offer, and those of the server follow
  [
    true,
    'client_max_window_bits; server_max_window_bits=10; client_no_context_takeover',
    'server_max_window_bits=10; client_no_context_takeover'
  ],
  [{ serverNoContextTakeover: true }, '', 'server_no_context_takeover'],
  [{ clientNoContextTakeover: true }, '', 'client_no_context_takeover'],
  [{ serverNoContextTakeover: false, clientNoContextTakeover: false }, '', ''],
  [{ clientNoContextTakeover: false }, 'client_no_context_takeover', 'client_no_context_takeover'],
  [
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    'client_max_window_bits; client_no_context_takeover',
    'client_no_context_takeover; server_no_context_takeover'
  ],
  [{ serverMaxWindowBits: 10 }, '', 'server_max_window_bits=10'],
  [{ serverMaxWindowBits: 10 }, 'server_max_window_bits=12', 'server_max_window_bits=10'],
  [{ serverMaxWindowBits: 10 }, 'server_max_window_bits=10', 'server_max_window_bits=10'],
  [{ serverMaxWindowBits: true }, 'server_max_window_bits=12', 'server_max_window_bits=12'],
  [{ serverMaxWindowBits: true }, '', ''],
  [{ serverMaxWindowBits: false }, '', ''],
  [{ clientMaxWindowBits: 10 }, 'client_max_window_bits', 'client_max_window_bits=10'],
  [{ clientMaxWindowBits: 10 }, 'client_max_window_bits=12', 'client_max_window_bits=10'],
  [{ clientMaxWindowBits: true }, 'client_max_window_bits=12', 'client_max_window_bits=12'],
  [{ clientMaxWindowBits: true }, 'client_max_window_bits', ''],
  [{ clientMaxWindowBits: false }, 'client_max_window_bits=12', ''],
  [{ clientMaxWindowBits: false }, 'client_max_window_bits', ''],
  [
    {
      serverMaxWindowBits: 11,
      clientMaxWindowBits: 12,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true
    },
    'client_max_window_bits',
    'client_max_window_bits=12; server_no_context_takeover; client_no_context_takeover; ' +
      'server_max_window_bits=11'
  ],
  [{ threshold: 0, concurrencyLimit: 2, zlibDeflateOptions: { level: 1 } }, '', '']
]) {
  test(`${JSON.stringify(option)} and '${offer}' -> '${answer}'`, async (t) => {
    const whole = (params) => (params ? `${NAME}; ${params}` : NAME);
    assert.strictEqual(await answerTo(t, option, whole(offer)), whole(answer));
  });
}

const TEN = `${NAME}; server_max_window_bits=10`;

// [title, option of the server, the header, the answer]
for (const [title, option, header, answer] of [
  ['the first offer, if all can be accepted', true, `${TEN}, ${NAME}`, TEN],
  [
    'the first offer that can be accepted',
    { serverMaxWindowBits: 11 },
    `${TEN}, ${NAME}; client_no_context_takeover, ${NAME}`,
    `${NAME}; client_no_context_takeover; server_max_window_bits=11`
  ],
  ['other extensions do not count', true, `x-one; a=1; b, ${NAME}, x-two; c="2"`, NAME],
  ['nothing but other extensions', true, 'x-one, x-two; client_max_window_bits=99', undefined],
  ['names that are nearly the same', true, `${NAME}2, x-${NAME}`, undefined],
  ['the name is compared with its case', true, 'Permessage-Deflate', undefined],
  ['space and tabs around the separators', true, `${TEN.replace(';', ' ;\t')} ,\tx`, TEN],
  ['field lines are one list', true, ['x-one', TEN, 'x-two'], TEN],
  ['no header, no answer', true, null, undefined],
  ['perMessageDeflate: false does not look at the header', false, ';;,="', undefined],
  ['perMessageDeflate is false by default', undefined, NAME, undefined]
]) {
  test(title, async (t) => {
    assert.strictEqual(await answerTo(t, option, header), answer);
  });
}

for (const [title, option, offer] of [
  ['an unknown parameter', true, `${NAME}; foo`],
  ['an unknown parameter with a value', true, `${NAME}; foo=1`],
  ['an unknown parameter of the second offer', true, `${NAME}, ${NAME}; foo`],
  ['the name of a parameter in capitals', true, `${NAME}; Client_Max_Window_Bits`],
  ['a parameter twice', true, `${NAME}; client_max_window_bits; client_max_window_bits`],
  [
    'a parameter twice, one value',
    true,
    `${NAME}; server_max_window_bits=9; server_max_window_bits=9`
  ],
  ['server_max_window_bits without a value', true, `${NAME}; server_max_window_bits`],
  ['server_max_window_bits=7', true, `${NAME}; server_max_window_bits=7`],
  ['server_max_window_bits=16', true, `${NAME}; server_max_window_bits=16`],
  ['client_max_window_bits=7', true, `${NAME}; client_max_window_bits=7`],
  ['client_max_window_bits=16', true, `${NAME}; client_max_window_bits=16`],
  ['client_max_window_bits=1e1x', true, `${NAME}; client_max_window_bits=1e1x`],
  ['client_max_window_bits=-10', true, `${NAME}; client_max_window_bits=-10`],
  ['a huge number', true, `${NAME}; client_max_window_bits=${'9'.repeat(400)}`],
  ['server_no_context_takeover with a value', true, `${NAME}; server_no_context_takeover=1`],
  ['client_no_context_takeover with a value', true, `${NAME}; client_no_context_takeover=true`],
  ['an empty header', true, ''],
  ['a comma alone', true, ','],
  ['a comma at the end', true, `${NAME},`],
  ['a semicolon at the end', true, `${NAME};`],
  ['two commas', true, `${NAME},,x`],
  ['two semicolons', true, `${NAME};;client_max_window_bits`],
  ['no name', true, '; client_max_window_bits'],
  ['a space inside of a name', true, 'permessage deflate'],
  ['a character that is none of a token', true, 'permessage-deflate/1'],
  ['a value that is missing', true, `${NAME}; client_max_window_bits=`],
  ['an empty quoted value', true, `${NAME}; client_max_window_bits=""`],
  ['a quote that is not closed', true, `${NAME}; client_max_window_bits="10`],
  ['a quoted value with a space', true, `${NAME}; client_max_window_bits="1 0"`],
  ['bad grammar of another extension', true, `${NAME}, x; =`],
  ['not ASCII', true, `${NAME}, caf\u00e9`],
  [
    'what serverNoContextTakeover: false excludes',
    { serverNoContextTakeover: false },
    `${NAME}; server_no_context_takeover`
  ],
  [
    'what serverMaxWindowBits: false excludes',
    { serverMaxWindowBits: false },
    `${NAME}; server_max_window_bits=10`
  ],
  [
    'a window smaller than serverMaxWindowBits',
    { serverMaxWindowBits: 11 },
    `${NAME}; server_max_window_bits=10`
  ],
  ['clientMaxWindowBits, and no client_max_window_bits', { clientMaxWindowBits: 10 }, NAME],
  [
    'a window smaller than clientMaxWindowBits',
    { clientMaxWindowBits: 11 },
    `${NAME}; client_max_window_bits=10`
  ]
]) {
  test(`400 for ${title}`, async (t) => {
    const wss = await serve(t, { perMessageDeflate: option }, () => assert.fail('no connection'));
    assert.strictEqual(await refusal(t, wss.testPort, offer), REFUSAL);
  });
}

test('a refusal goes to wsClientError, if that is listened to', async (t) => {
  const wss = await serve(t, { perMessageDeflate: true });
  const event = once(wss, 'wsClientError');
  const raw = await rawConnect(t, wss.testPort);
  raw.write(upgradeRequest(offering(`${NAME}; foo`)));
  const [err, socket, req] = await event;
  assert.strictEqual(err.message, REFUSED);
  assert.strictEqual(req.headers['sec-websocket-extensions'], `${NAME}; foo`);
  socket.end('HTTP/1.1 418 No\r\n\r\n');
  assert.match(String(await raw.rest()), /^HTTP\/1\.1 418 /);
});

test('the extensions are looked at after the subprotocol and before verifyClient', async (t) => {
  const calls = [];
  const wss = await serve(t, {
    perMessageDeflate: true,
    verifyClient: () => calls.push('verifyClient') > 0,
    handleProtocols: () => calls.push('handleProtocols') > 0
  });
  const answer = async (headers) => {
    const raw = await rawConnect(t, wss.testPort);
    raw.write(upgradeRequest({ headers }));
    return String(await raw.rest());
  };
  const bad = { 'Sec-WebSocket-Extensions': ',' };
  assert.match(await answer({ ...bad, 'Sec-WebSocket-Protocol': ',' }), /Sec-WebSocket-Protocol/);
  assert.match(await answer({ ...bad, 'Sec-WebSocket-Protocol': 'a' }), new RegExp(REFUSED));
  assert.deepStrictEqual(calls, []);
});

test('the 101 is exactly these lines', async (t) => {
  const wss = await serve(t, { perMessageDeflate: { serverMaxWindowBits: 10 } });
  const raw = await rawClient(t, wss.testPort, {
    headers: { 'Sec-WebSocket-Protocol': 'a, b', 'Sec-WebSocket-Extensions': NAME }
  });
  assert.strictEqual(
    raw.response,
    [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${acceptFor(SAMPLE_KEY)}`,
      'Sec-WebSocket-Protocol: a',
      `Sec-WebSocket-Extensions: ${NAME}; server_max_window_bits=10`
    ].join('\r\n')
  );
});

/** One compressed message to an echo server on `raw`, and its compressed answer. */
async function converse(raw) {
  raw.write(compressedFrame(raw, OP.TEXT, 'hello'));
  const frame = await raw.frame();
  assert.deepStrictEqual([frame.rsv1, frame.opcode], [true, OP.TEXT]);
  assert.strictEqual(String(inflated(frame.payload)), 'hello');
}

for (const [title, verifyClient] of [
  ['that is synchronous', () => true],
  ['with a callback', (info, callback) => setImmediate(callback, true)]
]) {
  test(`with a verifyClient ${title}`, async (t) => {
    const wss = await serve(t, { perMessageDeflate: true, verifyClient }, echo);
    const raw = await rawClient(t, wss.testPort, offering(`${NAME}; server_max_window_bits=12`));
    assert.strictEqual(extensionsOf(raw.response), `${NAME}; server_max_window_bits=12`);
    await converse(raw);
  });
}

test('with handleProtocols', async (t) => {
  const options = { perMessageDeflate: true, handleProtocols: () => 'chosen' };
  const wss = await serve(t, options, echo);
  const raw = await rawClient(t, wss.testPort, {
    headers: { 'Sec-WebSocket-Protocol': 'a, chosen', 'Sec-WebSocket-Extensions': NAME }
  });
  assert.match(raw.response, /Sec-WebSocket-Protocol: chosen\r\nSec-WebSocket-Extensions: /);
  await converse(raw);
});

test("with a listener of 'headers': the line is in the array", async (t) => {
  const wss = await serve(t, { perMessageDeflate: true }, echo);
  const seen = [];
  wss.on('headers', (headers) => {
    seen.push(...headers);
    headers.push('X-Test: yes');
  });
  const raw = await rawClient(t, wss.testPort, offering(`${NAME}; client_max_window_bits=11`));
  assert.strictEqual(seen.at(-1), `Sec-WebSocket-Extensions: ${NAME}; client_max_window_bits=11`);
  assert.match(raw.response, /client_max_window_bits=11\r\nX-Test: yes$/);
  await converse(raw);
});

test('extensions of both ends, if both have agreed', async (t) => {
  const agreed = await pair(t, { perMessageDeflate: true });
  assert.strictEqual(agreed.peer.extensions, NAME);
  assert.strictEqual(agreed.client.extensions, NAME);
  for (const [server, client] of [
    [true, false],
    [false, true],
    [false, false]
  ]) {
    const plain = await pair(t, { perMessageDeflate: server }, { perMessageDeflate: client });
    assert.strictEqual(plain.peer.extensions, '');
    assert.strictEqual(plain.client.extensions, '');
    const got = messages(plain.peer, 1);
    plain.client.send('plain', { compress: true });
    assert.strictEqual(String((await got)[0][0]), 'plain');
  }
});

test('connections of one server may agree on different parameters', async (t) => {
  const wss = await serve(t, { perMessageDeflate: true }, echo);
  const offers = [
    `${NAME}; server_max_window_bits=9`,
    `${NAME}; server_no_context_takeover`,
    NAME,
    `${NAME}; server_max_window_bits=14; client_no_context_takeover`
  ];
  const raws = [];
  for (const offer of offers) {
    const raw = await rawClient(t, wss.testPort, offering(offer));
    assert.strictEqual(extensionsOf(raw.response), offer);
    raws.push(raw);
  }
  const plain = await rawClient(t, wss.testPort);
  assert.strictEqual(extensionsOf(plain.response), undefined);
  plain.send(OP.TEXT, 'plain');
  assert.strictEqual((await plain.frame()).rsv1, false);
  // short messages go uncompressed where the server has no context takeover
  for (const raw of raws.filter((_, i) => i !== 1)) await converse(raw);
});

test('wss.options: true is an object there, and the own object is the same', () => {
  const make = (perMessageDeflate) => new WebSocket.Server({ noServer: true, perMessageDeflate });
  assert.deepStrictEqual(make(true).options.perMessageDeflate, {});
  assert.strictEqual(make(false).options.perMessageDeflate, false);
  assert.strictEqual(make(undefined).options.perMessageDeflate, undefined);
  const own = Object.freeze({ threshold: 10, clientMaxWindowBits: 12 });
  assert.strictEqual(make(own).options.perMessageDeflate, own);
});

test('frames that come together with the request', async (t) => {
  const wss = await serve(t, { perMessageDeflate: true }, echo);
  const raw = await rawConnect(t, wss.testPort);
  raw.write(
    Buffer.concat([
      Buffer.from(upgradeRequest(offering(NAME))),
      compressedFrame(raw, OP.TEXT, 'early')
    ])
  );
  assert.match(await raw.head(), /^HTTP\/1\.1 101 /);
  assert.strictEqual(String(inflated((await raw.frame()).payload)), 'early');
});

// A raw deflate stream with a window of 256 bytes is none that zlib can make.
hawserTest('a window of 8 bits for the server itself is declined', async (t) => {
  const wss = await serve(t, { perMessageDeflate: true });
  const offer = `${NAME}; server_max_window_bits=8`;
  assert.strictEqual(await refusal(t, wss.testPort, offer), REFUSAL);
  const raw = await rawClient(t, wss.testPort, offering(`${offer}, ${NAME}`));
  assert.strictEqual(extensionsOf(raw.response), NAME);
});
