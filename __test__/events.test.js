'use strict';

const assert = require('node:assert');
const WebSocket = require('./support/impl');
const {
  dial,
  hawserTest,
  messages,
  once,
  pair,
  serve,
  test,
  turn,
  until
} = require('./support/helpers');
const { OP, closePayload } = require('./support/raw-peer');
const { child } = require('./support/child');
const { clientAndWire } = require('./support/wire');

test('onopen, onmessage, onclose, onerror: null at first, set, replaced, removed', () => {
  const ws = new WebSocket('ws://127.0.0.1:1');
  ws.on('error', () => {});
  for (const name of ['onopen', 'onmessage', 'onclose', 'onerror']) {
    const type = name.slice(2);
    const base = ws.listenerCount(type);
    assert.strictEqual(ws[name], null);
    const [first, second] = [() => {}, () => {}];
    ws[name] = first;
    assert.strictEqual(ws[name], first);
    ws[name] = second;
    assert.strictEqual(ws[name], second);
    assert.strictEqual(ws.listenerCount(type), base + 1);
    for (const value of [null, undefined, 7, {}, 'x']) {
      ws[name] = value;
      assert.strictEqual(ws[name], null);
    }
    assert.strictEqual(ws.listenerCount(type), base);
  }
  ws.terminate();
});

test('a handler as attribute and as listener counts as two', async (t) => {
  const { client, raw } = await clientAndWire(t);
  let calls = 0;
  const handler = () => calls++;
  client.onmessage = handler;
  client.addEventListener('message', handler);
  client.addEventListener('message', handler);
  raw.send(OP.TEXT, 'x');
  await until(() => calls === 2);
  client.removeEventListener('message', handler);
  client.removeEventListener('message', handler);
  assert.strictEqual(client.onmessage, handler);
  raw.send(OP.TEXT, 'x');
  await until(() => calls === 3);
});

test("'open' event: type, target, this", async (t) => {
  const wss = await serve(t);
  const client = dial(t, wss.testUrl);
  const event = await new Promise((resolve) => {
    client.onopen = function (event) {
      assert.strictEqual(this, client);
      resolve(event);
    };
  });
  assert.strictEqual(event.type, 'open');
  assert.strictEqual(event.target, client);
});

test("'message' event: text data as a string, binary as binaryType says", async (t) => {
  const { client, raw } = await clientAndWire(t);
  const events = [];
  client.onmessage = (event) => events.push(event);
  raw.send(OP.TEXT, 'grüße');
  raw.send(OP.BINARY, 'bin');
  await until(() => events.length === 2);
  assert.deepStrictEqual(
    events.map(({ type, data }) => [type, data]),
    [
      ['message', 'grüße'],
      ['message', Buffer.from('bin')]
    ]
  );
  assert.strictEqual(events[0].target, client);
  client.binaryType = 'arraybuffer';
  raw.send(OP.BINARY, 'ab');
  raw.send(OP.TEXT, 'still a string');
  await until(() => events.length === 4);
  assert.ok(events[2].data instanceof ArrayBuffer);
  assert.strictEqual(events[3].data, 'still a string');
});

test("'close' event: code, reason as a string, wasClean after both close frames", async (t) => {
  const { client, peer } = await pair(t);
  const events = [];
  client.onclose = (event) => events.push(event);
  peer.addEventListener('close', (event) => events.push(event));
  client.close(3000, 'grüße');
  await until(() => events.length === 2);
  for (const event of events) {
    assert.deepStrictEqual(
      [event.type, event.code, event.reason, event.wasClean],
      ['close', 3000, 'grüße', true]
    );
  }
});

test('wasClean: true for an empty close frame, false for a FIN, terminate() and an error', async (t) => {
  const close = async (act) => {
    const { client, raw } = await clientAndWire(t);
    client.on('error', () => {});
    const event = new Promise((resolve) => client.addEventListener('close', resolve));
    await act(client, raw);
    const { code, reason, wasClean } = await event;
    return [code, reason, wasClean];
  };
  assert.deepStrictEqual(await close((ws, raw) => raw.send(OP.CLOSE, '')), [1005, '', true]);
  assert.deepStrictEqual(await close((ws, raw) => raw.socket.end()), [1006, '', false]);
  assert.deepStrictEqual(await close((ws) => ws.terminate()), [1006, '', false]);
  assert.deepStrictEqual(await close((ws, raw) => raw.send(3, '')), [1006, '', false]);
  const unanswered = async (ws, raw) => {
    ws.close(1000);
    await raw.closeFrame();
    raw.socket.end();
  };
  assert.deepStrictEqual(await close(unanswered), [1006, '', false]);
});

test("'error' event: error and message", async (t) => {
  const { client, raw } = await clientAndWire(t);
  const got = new Promise((resolve) => {
    client.onerror = resolve;
  });
  raw.send(3, '');
  const event = await got;
  assert.strictEqual(event.type, 'error');
  assert.strictEqual(event.target, client);
  assert.strictEqual(event.error.code, 'WS_ERR_INVALID_OPCODE');
  assert.strictEqual(event.message, event.error.message);
});

test('addEventListener: the same handler twice counts once; once; handleEvent', async (t) => {
  const { client, raw } = await clientAndWire(t);
  const log = [];
  const handler = () => log.push('handler');
  const object = {
    handleEvent(event) {
      assert.strictEqual(this, object);
      log.push(`object ${event.data}`);
    }
  };
  client.addEventListener('message', handler);
  client.addEventListener('message', handler, { once: true });
  client.addEventListener('message', object);
  client.addEventListener('message', object);
  client.addEventListener('message', () => log.push('once'), { once: true });
  raw.send(OP.TEXT, '1');
  raw.send(OP.TEXT, '2');
  await until(() => log.length === 5);
  assert.deepStrictEqual(log, ['handler', 'object 1', 'once', 'handler', 'object 2']);
  client.removeEventListener('message', handler);
  client.removeEventListener('message', object);
  assert.strictEqual(client.listenerCount('message'), 0);
});

test('removeEventListener also removes a once listener, and ignores strangers', async (t) => {
  const { client } = await clientAndWire(t);
  const handler = () => assert.fail('not expected');
  client.addEventListener('message', handler, { once: true });
  client.removeEventListener('message', () => {});
  assert.strictEqual(client.listenerCount('message'), 1);
  client.removeEventListener('message', handler);
  assert.strictEqual(client.listenerCount('message'), 0);
  client.on('message', handler);
  client.removeEventListener('message', handler);
  assert.strictEqual(client.listenerCount('message'), 1, 'added with on()');
});

test('addEventListener: open, message, close, error only', async (t) => {
  const { client } = await clientAndWire(t);
  for (const type of ['ping', 'pong', 'upgrade', 'foo']) {
    client.addEventListener(type, () => {});
    assert.strictEqual(client.listenerCount(type), 0);
  }
});

test('listeners run in the order in which they were added, whatever the interface', async (t) => {
  const { client, raw } = await clientAndWire(t);
  const order = [];
  client.on('message', () => order.push(1));
  client.onmessage = () => order.push(2);
  client.addEventListener('message', () => order.push(3));
  client.on('message', () => order.push(4));
  raw.send(OP.TEXT, 'x');
  await until(() => order.length === 4);
  assert.deepStrictEqual(order, [1, 2, 3, 4]);
});

test('a message that nobody listens to is dropped; a listener added later gets the next', async (t) => {
  const { client, raw } = await clientAndWire(t);
  raw.send(OP.TEXT, 'dropped');
  raw.send(OP.PING, 'sync');
  assert.strictEqual((await raw.frame()).opcode, OP.PONG);
  await turn();
  const got = messages(client, 1);
  raw.send(OP.TEXT, 'kept');
  assert.strictEqual(String((await got)[0][0]), 'kept');
});

test('one close event for each connection in a crowd', async (t) => {
  const wss = await serve(t);
  const counts = new Map();
  wss.on('connection', (ws) => ws.on('close', () => counts.set(ws, (counts.get(ws) ?? 0) + 1)));
  const clients = Array.from({ length: 50 }, () => dial(t, wss.testUrl));
  await Promise.all(clients.map((client) => once(client, 'open')));
  await until(() => wss.clients.size === 50);
  clients.forEach((client, i) => (i % 2 ? client.close(1000) : client.terminate()));
  await until(() => counts.size === 50);
  await turn();
  assert.ok([...counts.values()].every((count) => count === 1));
});

const THROWING = `
  process.on('uncaughtException', (err) => say('uncaught', err.message));
  const wss = createServer();
  wss.on('listening', () => {
    const client = createClient(wss.testUrl);
    client.on('open', () => { for (let i = 0; i < 5; i++) client.send(String(i)); });
    wss.once('connection', (ws) => {
      ws.on('message', (data) => {
        if (String(data) === arg) throw new Error('thrown at ' + data);
        say('got', data);
      });
    });
    const other = createClient(wss.testUrl);
    other.on('open', () => setTimeout(() => other.send('hi'), 100));
    wss.on('connection', (ws) => ws.on('message', (data) => String(data) === 'hi' && ws.send('ok')));
    other.on('message', (data) => { say('other', data); setTimeout(process.exit, 50, 0); });
  });
`;

test('a listener that throws reaches uncaughtException; other connections go on', async (t) => {
  const { exit } = child(t, THROWING, '2');
  const { code, lines, stderr } = await exit;
  assert.strictEqual(code, 0, stderr);
  const own = lines.filter((line) => line !== 'other ok');
  assert.deepStrictEqual(own.slice(0, 3), ['got 0', 'got 1', 'uncaught thrown at 2']);
  assert.ok(lines.includes('other ok'));
});

hawserTest('after a listener has thrown the rest of its batch is still delivered', async (t) => {
  const { exit } = child(t, THROWING, '2');
  const { lines } = await exit;
  assert.deepStrictEqual(
    lines.filter((line) => line !== 'other ok'),
    ['got 0', 'got 1', 'uncaught thrown at 2', 'got 3', 'got 4']
  );
});

test('a listener that throws without a handler ends the process with code 1', async (t) => {
  for (const event of ['message', 'close', 'open', 'ping']) {
    const { exit } = child(
      t,
      `
      const wss = createServer();
      wss.on('listening', () => {
        const client = createClient(wss.testUrl);
        client.on(arg, () => { throw new Error('boom'); });
      });
      wss.on('connection', (ws) => { ws.ping(); ws.send('x'); ws.close(); });
      `,
      event
    );
    const { code, stderr } = await exit;
    assert.strictEqual(code, 1, event);
    assert.match(stderr, /Error: boom/);
  }
});

test('a rejected promise of a listener is an unhandledRejection, as for any emitter', async (t) => {
  const { client, raw } = await clientAndWire(t);
  let calls = 0;
  client.on('message', async () => {
    calls++;
  });
  raw.send(OP.TEXT, 'a');
  raw.send(OP.CLOSE, closePayload(1000));
  await once(client, 'close');
  assert.strictEqual(calls, 1);
});
