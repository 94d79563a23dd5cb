'use strict';

// The client's half of the negotiation of permessage-deflate: RFC 7692 section 7.1.
// __test__/node-client/compression.test.js has it for each way in which a request can leave.

const assert = require('node:assert');
const { connect, dial, echo, once, record, serve, test, until } = require('./support/helpers');
const { OP, closePayload, rawAcceptor, rawServer, upgradeResponse } = require('./support/raw-peer');
const { NAME, compressedFrame, extensionsOf, inflated, prose } = require('./support/deflate');

const INVALID = 'Invalid Sec-WebSocket-Extensions header';
const NOT_REQUESTED = 'Server indicated an extension that was not requested';
const NONE_REQUESTED =
  'Server sent a Sec-WebSocket-Extensions header but no extension was requested';

// [option of the client, the offer without the name]
for (const [option, offer] of [
  [true, 'client_max_window_bits'],
  [{}, 'client_max_window_bits'],
  [{ clientMaxWindowBits: true }, 'client_max_window_bits'],
  [{ clientMaxWindowBits: false }, ''],
  [{ clientMaxWindowBits: 9 }, 'client_max_window_bits=9'],
  [{ clientMaxWindowBits: 15 }, 'client_max_window_bits=15'],
  [{ serverMaxWindowBits: 9 }, 'server_max_window_bits=9; client_max_window_bits'],
  [{ serverMaxWindowBits: false }, 'client_max_window_bits'],
  [{ serverNoContextTakeover: true }, 'server_no_context_takeover; client_max_window_bits'],
  [{ clientNoContextTakeover: true }, 'client_no_context_takeover; client_max_window_bits'],
  [{ serverNoContextTakeover: false, clientNoContextTakeover: false }, 'client_max_window_bits'],
  [
    {
      clientMaxWindowBits: 11,
      serverMaxWindowBits: 12,
      clientNoContextTakeover: true,
      serverNoContextTakeover: true
    },
    'server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; ' +
      'client_max_window_bits=11'
  ],
  [
    { threshold: 0, concurrencyLimit: 2, zlibDeflateOptions: { level: 1 } },
    'client_max_window_bits'
  ]
]) {
  test(`offer: ${JSON.stringify(option)} -> '${offer}'`, async (t) => {
    const server = await rawAcceptor(t);
    const client = await connect(t, server.url, { perMessageDeflate: option });
    const { request } = await server.next();
    assert.strictEqual(extensionsOf(request), offer ? `${NAME}; ${offer}` : NAME);
    assert.strictEqual(client.extensions, '', 'not taken up');
  });
}

test('offer: there is one without options', async (t) => {
  const server = await rawAcceptor(t);
  await connect(t, server.url);
  assert.strictEqual(
    extensionsOf((await server.next()).request),
    `${NAME}; client_max_window_bits`
  );
});

for (const perMessageDeflate of [false, undefined, null]) {
  test(`offer: perMessageDeflate: ${perMessageDeflate} makes none`, async (t) => {
    const server = await rawAcceptor(t);
    const client = await connect(t, server.url, { perMessageDeflate });
    assert.strictEqual(extensionsOf((await server.next()).request), undefined);
    assert.strictEqual(client.extensions, '');
  });
}

test('offer: one of the own headers makes way for it', async (t) => {
  const server = await rawAcceptor(t);
  const headers = { 'Sec-WebSocket-Extensions': 'x-own' };
  await connect(t, server.url, { headers });
  assert.strictEqual(
    extensionsOf((await server.next()).request),
    `${NAME}; client_max_window_bits`
  );
  await connect(t, server.url, { headers, perMessageDeflate: false });
  assert.strictEqual(extensionsOf((await server.next()).request), 'x-own');
  assert.deepStrictEqual(headers, { 'Sec-WebSocket-Extensions': 'x-own' });
});

test('extensions: while CONNECTING and after the end', async (t) => {
  const wss = await serve(t, { perMessageDeflate: true });
  const client = dial(t, wss.testUrl);
  assert.strictEqual(client.extensions, '');
  await once(client, 'open');
  assert.strictEqual(client.extensions, NAME);
  client.close();
  await once(client, 'close');
  assert.strictEqual(client.extensions, NAME);
});

test("'upgrade' shows the answer of the server", async (t) => {
  const wss = await serve(t, { perMessageDeflate: { serverMaxWindowBits: 13 } });
  const client = dial(t, wss.testUrl);
  const [[res]] = await Promise.all([once(client, 'upgrade'), once(client, 'open')]);
  assert.strictEqual(res.headers['sec-websocket-extensions'], `${NAME}; server_max_window_bits=13`);
});

/** A client and a raw server that answers `value`; both speak as agreed. */
async function agreed(t, perMessageDeflate, value) {
  const server = await rawAcceptor(
    t,
    [].concat(value).map((v) => `Sec-WebSocket-Extensions: ${v}`)
  );
  const client = await connect(t, server.url, { perMessageDeflate });
  assert.strictEqual(client.extensions, NAME);
  const raw = await server.next();
  const got = once(client, 'message');
  raw.write(compressedFrame(raw, OP.TEXT, 'hello'));
  assert.deepStrictEqual(await got, [Buffer.from('hello'), false]);
  client.send(prose(2000));
  const frame = await raw.frame();
  assert.strictEqual(frame.rsv1, true);
  assert.strictEqual(String(inflated(frame.payload)), prose(2000));
}

// [option of the client, the parameters of the answer]
for (const [option, params] of [
  [true, ''],
  [true, 'client_max_window_bits=9'],
  [true, 'server_max_window_bits=9'],
  [true, 'server_max_window_bits="10"; client_no_context_takeover'],
  [true, 'server_no_context_takeover; client_no_context_takeover'],
  [{ clientMaxWindowBits: 10 }, 'client_max_window_bits=10'],
  [{ clientMaxWindowBits: 10 }, 'client_max_window_bits=9'],
  [{ clientMaxWindowBits: 10 }, ''],
  [{ clientMaxWindowBits: false }, 'server_max_window_bits=12'],
  [{ clientNoContextTakeover: true }, ''],
  [{ serverNoContextTakeover: true }, 'server_no_context_takeover']
]) {
  test(`a client ${JSON.stringify(option)} agrees with '${params}'`, (t) =>
    agreed(t, option, params ? `${NAME}; ${params}` : NAME));
}

test('the name of the header in any case', async (t) => {
  const server = await rawAcceptor(t, [`sEC-wEBsOCKET-eXTENSIONS: ${NAME}`]);
  assert.strictEqual((await connect(t, server.url)).extensions, NAME);
});

// [title, the answer, the message of the error, option of the client]
for (const [title, value, message, option = true] of [
  ['an extension, and none was requested', NAME, NONE_REQUESTED, false],
  ['bad grammar, and none was requested', ';', NONE_REQUESTED, false],
  ['an empty header', '', INVALID],
  ['a comma at the end', `${NAME},`, INVALID],
  ['a semicolon at the end', `${NAME};`, INVALID],
  ['a quote that is not closed', `${NAME}; server_max_window_bits="10`, INVALID],
  ['an unknown parameter', `${NAME}; foo`, INVALID],
  ['a parameter twice', `${NAME}; server_max_window_bits=9; server_max_window_bits=9`, INVALID],
  ['server_max_window_bits=16', `${NAME}; server_max_window_bits=16`, INVALID],
  ['server_max_window_bits=7', `${NAME}; server_max_window_bits=7`, INVALID],
  ['server_max_window_bits without a value', `${NAME}; server_max_window_bits`, INVALID],
  ['client_max_window_bits=7', `${NAME}; client_max_window_bits=7`, INVALID],
  ['client_max_window_bits without a value', `${NAME}; client_max_window_bits`, INVALID],
  ['a value of a flag', `${NAME}; client_no_context_takeover=1`, INVALID],
  [
    'a larger window than offered',
    `${NAME}; client_max_window_bits=11`,
    INVALID,
    { clientMaxWindowBits: 10 }
  ],
  [
    'a window that was not offered',
    `${NAME}; client_max_window_bits=10`,
    INVALID,
    { clientMaxWindowBits: false }
  ],
  [
    'what clientNoContextTakeover: false excludes',
    `${NAME}; client_no_context_takeover`,
    INVALID,
    { clientNoContextTakeover: false }
  ],
  ['another extension', 'x-other', NOT_REQUESTED],
  ['a second extension', `${NAME}, x-other`, NOT_REQUESTED],
  ['a name that is nearly the same', 'Permessage-Deflate', NOT_REQUESTED]
]) {
  test(`refused: ${title}`, async (t) => {
    const server = await rawAcceptor(t, [`Sec-WebSocket-Extensions: ${value}`]);
    const client = dial(t, server.url, { perMessageDeflate: option });
    const log = record(client, ['upgrade', 'open', 'message', 'error', 'close']);
    const raw = await server.next();
    await until(() => log.at(-1)?.[0] === 'close', "'close'");
    assert.deepStrictEqual(
      log.map(([name]) => name),
      ['upgrade', 'error', 'close']
    );
    assert.strictEqual(log[1][1].message, message);
    assert.deepStrictEqual(log[2], ['close', 1006, Buffer.alloc(0)]);
    assert.strictEqual(client.extensions, '');
    await raw.end();
  });
}

test('frames that come together with the answer', async (t) => {
  const server = await rawServer(t, (raw, head) => {
    raw.write(
      Buffer.concat([
        Buffer.from(upgradeResponse(head, [`Sec-WebSocket-Extensions: ${NAME}`])),
        compressedFrame(raw, OP.TEXT, 'early'),
        raw.build(OP.CLOSE, closePayload(1000))
      ])
    );
  });
  const client = dial(t, server.url);
  const log = record(client, ['open', 'message', 'close']);
  await until(() => log.length === 3);
  assert.deepStrictEqual(
    log.map(([name, detail]) => [name, name === 'open' ? undefined : String(detail)]),
    [
      ['open', undefined],
      ['message', 'early'],
      ['close', '1000']
    ]
  );
});

test('a redirect: the offer goes along, and the last answer counts', async (t) => {
  const wss = await serve(t, { perMessageDeflate: { serverMaxWindowBits: 11 } }, echo);
  const offers = [];
  const server = await rawServer(t, (raw, head) => {
    offers.push(extensionsOf(head));
    raw.write(
      `HTTP/1.1 302 Found\r\nLocation: ${wss.testUrl}\r\nContent-Length: 0\r\n` +
        `Sec-WebSocket-Extensions: x-other\r\n\r\n`
    );
  });
  const client = await connect(t, server.url, { followRedirects: true });
  assert.strictEqual(client.extensions, NAME);
  assert.deepStrictEqual(offers, [`${NAME}; client_max_window_bits`]);
  const got = once(client, 'message');
  client.send(prose(5000));
  assert.strictEqual(String((await got)[0]), prose(5000));
});
