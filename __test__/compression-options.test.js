'use strict';

// Options of perMessageDeflate that ws does not have, and values that it would not look at.

const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const WebSocket = require('./support/impl');
const { createClient, createServer } = require('./support/carriers');
const { child } = require('./support/child');
const {
  connect,
  discard,
  echo,
  hawserTest: test,
  messages,
  once,
  pair,
  serve,
  turn
} = require('./support/helpers');
const { rawAcceptor, rawClient } = require('./support/raw-peer');
const { NAME, deflateWire, extensionsOf, inflated, offering, prose } = require('./support/deflate');

const NO_TAKEOVER = { server_no_context_takeover: true, client_no_context_takeover: true };
const MODES = {
  dedicated: undefined,
  shared: 15,
  shared4kb: 12,
  shared8kb: 13,
  shared16kb: 14
};

/** The parameters of a header that speaks of permessage-deflate alone. */
function paramsOf(header) {
  const [name, ...params] = header.split('; ');
  assert.strictEqual(name, NAME);
  return Object.fromEntries(
    params.map((param) => {
      const [key, value] = param.split('=');
      return [key, value === undefined ? true : Number(value)];
    })
  );
}

/** What a server answers to `offer`, as parameters. */
async function answerTo(t, perMessageDeflate, offer = NAME) {
  const wss = await serve(t, { perMessageDeflate });
  const raw = await rawClient(t, wss.testPort, offering(offer));
  return paramsOf(extensionsOf(raw.response));
}

/** What a client offers, as parameters. */
async function offerOf(t, perMessageDeflate) {
  const server = await rawAcceptor(t);
  await connect(t, server.url, { perMessageDeflate });
  return paramsOf(extensionsOf((await server.next()).request));
}

for (const [mode, bits] of Object.entries(MODES)) {
  const isShared = mode !== 'dedicated';

  test(`mode '${mode}': the answer of a server`, async (t) => {
    assert.deepStrictEqual(await answerTo(t, { mode }), {
      ...(isShared && NO_TAKEOVER),
      ...(bits < 15 && { server_max_window_bits: bits })
    });
  });

  test(`mode '${mode}': the offer of a client`, async (t) => {
    assert.deepStrictEqual(await offerOf(t, { mode }), {
      ...(isShared && NO_TAKEOVER),
      client_max_window_bits: bits < 15 ? bits : true
    });
  });

  test(`mode '${mode}': messages both ways`, async (t) => {
    const { client, peer } = await pair(
      t,
      { perMessageDeflate: { mode } },
      { perMessageDeflate: { mode } }
    );
    assert.strictEqual(client.extensions, NAME);
    echo(peer);
    const data = [prose(100), prose(100000), prose(100000), prose(1), prose(2000)];
    const got = messages(client, data.length);
    for (const text of data) client.send(text);
    assert.deepStrictEqual(
      (await got).map(([text]) => String(text)),
      data
    );
  });
}

// A block of random bytes that a window of 15 bits has in it when it comes again, and that of the
// mode has not.
for (const [mode, size] of [
  ['shared4kb', 5000],
  ['shared8kb', 9000],
  ['shared16kb', 17000]
]) {
  test(`mode '${mode}': the window of the server's compressor`, async (t) => {
    const block = randomBytes(size);
    for (const [other, fits] of [
      [mode, false],
      ['shared', true]
    ]) {
      const { ws, raw } = await deflateWire(t, 'server', { perMessageDeflate: { mode: other } });
      ws.send(
        Buffer.concat([block, prose(500), block, prose(4 * size)].map((x) => Buffer.from(x)))
      );
      const { rsv1, payload } = await raw.frame();
      assert.strictEqual(rsv1, true);
      assert.strictEqual(payload.length < 1.9 * size, fits, `${other}: ${payload.length} bytes`);
      assert.strictEqual(inflated(payload).length, 2 * size + 500 + 4 * size);
    }
  });
}

/** `perMessageDeflate` is refused with `expected`, for a server and for a client. */
function refused(perMessageDeflate, expected) {
  assert.throws(() => createServer({ perMessageDeflate }), expected);
  assert.throws(() => new WebSocket.Server({ noServer: true, perMessageDeflate }), expected);
  assert.throws(() => discard(createClient('ws://127.0.0.1:1', { perMessageDeflate })), expected);
}

test('an unknown mode is a TypeError', () => {
  for (const mode of ['', 'Shared', 'shared2kb', 'toString', 1, null, {}]) {
    refused({ mode }, TypeError);
  }
});

test('a dictionary is not supported', () => {
  const dictionary = Buffer.from('some words');
  refused({ zlibDeflateOptions: { dictionary } }, { code: 'ERR_HAWSER_NOT_SUPPORTED' });
});

for (const options of [
  { zlibDeflateOptions: { level: -2 } },
  { zlibDeflateOptions: { level: 10 } },
  { zlibDeflateOptions: { memLevel: 0 } },
  { zlibDeflateOptions: { memLevel: 10 } },
  { serverMaxWindowBits: 7 },
  { serverMaxWindowBits: 16 },
  { clientMaxWindowBits: 7 },
  { clientMaxWindowBits: 16 }
]) {
  test(`${JSON.stringify(options)} is a RangeError`, () => refused(options, RangeError));
}

test('the outermost values that are allowed', async (t) => {
  for (const zlibDeflateOptions of [
    { level: -1, memLevel: 1 },
    { level: 0 },
    { level: 9, memLevel: 9 }
  ]) {
    const { ws, raw } = await deflateWire(t, 'server', {
      perMessageDeflate: { zlibDeflateOptions }
    });
    ws.send(prose(5000));
    assert.strictEqual(String(inflated((await raw.frame()).payload)), prose(5000));
  }
  const bits = { serverMaxWindowBits: 9, clientMaxWindowBits: 15 };
  assert.deepStrictEqual(await answerTo(t, bits, `${NAME}; client_max_window_bits`), {
    server_max_window_bits: 9,
    client_max_window_bits: 15
  });
});

test('without context takeover, what does not shrink goes as it is', async (t) => {
  const params = 'server_no_context_takeover';
  const { ws, raw } = await deflateWire(t, 'server', { params });
  const data = randomBytes(5000);
  ws.send(data);
  const { rsv1, payload } = await raw.frame();
  assert.strictEqual(rsv1, false);
  assert.ok(payload.equals(data));
});

/** A process with a server that says its port, and how many connections it has seen closed. */
async function serverWithBudget(t, contextBudget) {
  const { said } = child(
    t,
    `const wss = createServer({ perMessageDeflate: { contextBudget: arg } });
    let closed = 0;
    wss.on('listening', () => say('port', wss.testPort));
    wss.on('connection', (ws) => {
      ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
      ws.on('close', () => say('closed', ++closed));
    });`,
    contextBudget
  );
  const [, port] = (await said('port')).split(' ');
  const connected = async (offer = NAME) => {
    const raw = await rawClient(t, Number(port), offering(offer));
    return { raw, params: paramsOf(extensionsOf(raw.response)) };
  };
  return { connected, said };
}

test('contextBudget of one byte: never context takeover', async (t) => {
  const { connected } = await serverWithBudget(t, 1);
  for (let i = 0; i < 3; i++) {
    assert.deepStrictEqual((await connected()).params, NO_TAKEOVER);
  }
  const { params } = await connected(`${NAME}; client_max_window_bits=10`);
  assert.deepStrictEqual(params, { ...NO_TAKEOVER, client_max_window_bits: 10 });
});

test('contextBudget: used up, and given back by the connections that close', async (t) => {
  const { connected, said } = await serverWithBudget(t, 1_000_000);
  const raws = [];
  for (;;) {
    const { raw, params } = await connected();
    raws.push(raw);
    if (params.server_no_context_takeover) {
      assert.deepStrictEqual(params, NO_TAKEOVER);
      break;
    }
    assert.deepStrictEqual(params, {});
    assert.ok(raws.length < 100, 'the budget has an end');
  }
  assert.ok(raws.length > 1, 'the first one has context takeover');
  assert.deepStrictEqual((await connected()).params, NO_TAKEOVER);

  for (const raw of raws) raw.destroy();
  await said(`closed ${raws.length}`);
  let params = NO_TAKEOVER;
  for (let i = 0; i < 50 && params.server_no_context_takeover; i++) {
    ({ params } = await connected());
    await turn();
  }
  assert.deepStrictEqual(params, {});
});

test('contextBudget: connections without context takeover do not count', async (t) => {
  const { connected } = await serverWithBudget(t, 1_000_000);
  const offer = `${NAME}; server_no_context_takeover; client_no_context_takeover`;
  for (let i = 0; i < 30; i++) assert.deepStrictEqual((await connected(offer)).params, NO_TAKEOVER);
  assert.deepStrictEqual((await connected()).params, {});
});

test('a client and a server with different modes', async (t) => {
  for (const [server, asked, expected] of [
    ['shared4kb', 'dedicated', { ...NO_TAKEOVER, server_max_window_bits: 12 }],
    ['dedicated', 'shared8kb', { ...NO_TAKEOVER, client_max_window_bits: 13 }]
  ]) {
    const wss = await serve(t, { perMessageDeflate: { mode: server } }, echo);
    const client = createClient(wss.testUrl, { perMessageDeflate: { mode: asked } });
    t.after(() => discard(client));
    const [[res]] = await Promise.all([once(client, 'upgrade'), once(client, 'open')]);
    assert.deepStrictEqual(paramsOf(res.headers['sec-websocket-extensions']), expected);
    const got = messages(client, 2);
    for (let i = 0; i < 2; i++) client.send(prose(70000));
    for (const [data] of await got) assert.strictEqual(String(data), prose(70000));
  }
});

test("mode 'shared4kb': a client that asks for less than that gets it", async (t) => {
  const offer = `${NAME}; server_max_window_bits=10`;
  assert.deepStrictEqual(await answerTo(t, { mode: 'shared4kb' }, offer), {
    ...NO_TAKEOVER,
    server_max_window_bits: 10
  });
  const given = { mode: 'shared4kb', serverMaxWindowBits: 15 };
  assert.deepStrictEqual(await answerTo(t, given), { ...NO_TAKEOVER, server_max_window_bits: 12 });
});

test("mode 'shared': a client forgets, whether the server asks for it or not", async (t) => {
  const { ws, raw } = await deflateWire(t, 'client', {
    params: 'server_no_context_takeover',
    perMessageDeflate: { mode: 'shared', threshold: 0 }
  });
  const data = randomBytes(300).toString('hex');
  for (let i = 0; i < 3; i++) ws.send(data);
  for (let i = 0; i < 3; i++)
    assert.strictEqual(String(inflated((await raw.frame()).payload)), data);
});

test('contextBudget: handshakes under way count', async (t) => {
  const waiting = [];
  const wss = await serve(t, {
    perMessageDeflate: { contextBudget: 3 * 65536 },
    verifyClient: (info, callback) => {
      waiting.push(callback);
      if (waiting.length === 6) for (const answer of waiting) answer(true);
    }
  });
  const raws = await Promise.all(
    Array.from({ length: 6 }, () => rawClient(t, wss.testPort, offering(NAME)))
  );
  const plain = raws.filter((raw) => extensionsOf(raw.response) === NAME);
  assert.strictEqual(plain.length, 3);
});
