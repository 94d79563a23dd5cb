'use strict';

const assert = require('node:assert');
const { delay, hawserTest, once, serve, test, until, within } = require('./support/helpers');
const { DESCRIPTOR, createClient } = require('./support/carriers');
const { rawAcceptor } = require('./support/raw-peer');
const { child } = require('./support/child');

const SERVER = `
  const wss = createServer();
  wss.on('listening', () => say('listening', wss.testUrl));
`;
const PAIR = `
  ${SERVER}
  wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  let client;
  wss.on('listening', () => {
    client = createClient(wss.testUrl, arg || {});
    client.on('error', () => {});
    client.on('open', () => client.send('x'));
  });
`;

/** Runs `body` and demands that the process ends by itself with code 0. */
async function ends(t, body, arg) {
  const { code, signal, stderr, lines } = await child(t, body, arg).exit;
  assert.deepStrictEqual([code, signal, stderr], [0, null, '']);
  return lines;
}

/** Demands that the process is still there after a while. */
async function stays({ proc, said }, word) {
  await within(said(word), `'${word}'`);
  await delay(300);
  assert.strictEqual(proc.exitCode, null);
}

test('loading the package keeps nothing alive', async (t) => {
  await ends(t, "say('loaded')");
});

test('the process exits by itself after wss.close() and the last socket', async (t) => {
  const lines = await ends(
    t,
    `${PAIR}
    wss.on('listening', () => client.on('message', () => { client.close(); wss.close(); }));
    process.on('exit', () => say('exit', wss.clients.size));`
  );
  assert.strictEqual(lines.at(-1), 'exit 0');
});

test('the same with wss.close() first and terminate()', async (t) => {
  await ends(
    t,
    `${PAIR}
    wss.on('listening', () => client.on('message', () => {
      wss.close(() => say('closed'));
      for (const ws of wss.clients) ws.terminate();
    }));`
  );
});

test('the same with events that wait for their turn when all is over', async (t) => {
  const lines = await ends(
    t,
    `const wss = createServer({ allowSynchronousEvents: false });
    let seen = 0;
    wss.on('connection', (ws) => {
      ws.on('message', () => {
        if (++seen !== 3) return;
        wss.close();
        ws.terminate();
      });
      ws.on('close', (code) => say('close', code));
    });
    wss.on('listening', () => {
      const client = createClient(wss.testUrl);
      client.on('error', () => {});
      client.on('open', () => { for (let i = 0; i < 500; i++) client.send(Buffer.alloc(100)); });
    });`
  );
  assert.deepStrictEqual(lines, ['close 1006']);
});

test('a listening server keeps the process alive; a closed one does not', async (t) => {
  const open = child(t, SERVER);
  await stays(open, 'listening');
  await ends(t, `${SERVER} wss.on('listening', () => wss.close());`);
  await ends(t, `createServer().close();`);
});

test('a connected client keeps the process alive until the connection ends', async (t) => {
  const wss = await serve(t);
  const body = `
    const ws = createClient(arg);
    ws.on('open', () => say('open'));
    ws.on('close', (code) => say('close', code));
  `;
  const connection = once(wss, 'connection');
  const running = child(t, body, wss.testUrl);
  const [ws] = await connection;
  await stays(running, 'open');
  ws.close(1001);
  const { code, lines } = await running.exit;
  assert.deepStrictEqual([code, lines.at(-1)], [0, 'close 1001']);
});

test('a connection of a closed server keeps the process alive', async (t) => {
  const body = `${SERVER} wss.on('connection', () => wss.close(() => say('closed')) ?? say('conn'));`;
  const running = child(t, body);
  const [, url] = (await running.said('listening')).split(' ');
  const client = createClient(url);
  t.after(() => client.terminate());
  await once(client, 'open');
  await stays(running, 'conn');
  client.close();
  const { code, lines } = await running.exit;
  assert.deepStrictEqual([code, lines.at(-1)], [0, 'closed']);
});

test('a paused connection keeps the process alive', async (t) => {
  const wss = await serve(t);
  const body = `const ws = createClient(arg); ws.on('open', () => { ws.pause(); say('paused'); });`;
  const running = child(t, body, wss.testUrl);
  await stays(running, 'paused');
  running.proc.kill('SIGKILL');
});

test('timers of ours keep nothing alive: handshakeTimeout, closeTimeout', async (t) => {
  const options = { handshakeTimeout: 600000, closeTimeout: 600000 };
  await ends(
    t,
    `${PAIR}
    wss.on('listening', () => client.on('message', () => { client.close(); wss.close(); }));`,
    options
  );
  await ends(t, `createClient('ws://127.0.0.1:1', arg).on('error', () => say('error'));`, options);
});

test('a client that is closed while CONNECTING lets the process go', async (t) => {
  const server = await rawAcceptor(t);
  for (const method of ['close', 'terminate']) {
    await ends(
      t,
      `const ws = createClient(arg);
      ws.on('error', (err) => say(err.message));
      ws.${method}();`,
      server.url
    );
  }
});

test('a server that could not listen keeps nothing alive', async (t) => {
  const wss = await serve(t);
  const lines = await ends(
    t,
    `createServer({ port: arg }).on('error', (err) => say(err.code));`,
    wss.testPort
  );
  assert.deepStrictEqual(lines, ['EADDRINUSE']);
});

for (const [title, act] of [
  [
    'in a message listener',
    "wss.on('connection', (ws) => ws.on('message', () => process.exit(7)));"
  ],
  ["in 'open'", "wss.on('listening', () => client.on('open', () => process.exit(7)));"],
  ["in 'connection'", "wss.on('connection', () => process.exit(7));"],
  ["in 'listening'", "wss.on('listening', () => process.exit(7));"],
  [
    'under load',
    `wss.on('listening', () => client.on('open', () => {
      for (let i = 0; i < 5000; i++) client.send(Buffer.alloc(1000));
      setTimeout(process.exit, 20, 7);
    }));`
  ],
  ['in a turn of its own', "wss.on('connection', () => setTimeout(process.exit, 20, 7));"],
  ['in the tick of the constructor', 'process.exit(7);']
]) {
  test(`process.exit ${title}, with live sockets, has its code`, async (t) => {
    const { code, signal, stderr } = await child(t, PAIR + act).exit;
    assert.deepStrictEqual([code, signal, stderr], [7, null, '']);
  });
}

test('sending in an exit listener is harmless', async (t) => {
  const { code, stderr } = await child(
    t,
    `${PAIR}
    wss.on('connection', () => setTimeout(process.exit, 20, 0));
    process.on('exit', () => { client.send('late'); client.close(); wss.close(); });`
  ).exit;
  assert.deepStrictEqual([code, stderr], [0, '']);
});

test('an uncaught exception with live sockets: code 1 and the stack', async (t) => {
  const { code, stderr } = await child(
    t,
    `${PAIR} wss.on('connection', () => setTimeout(() => { throw new Error('boom'); }, 20));`
  ).exit;
  assert.strictEqual(code, 1);
  assert.match(stderr, /Error: boom/);
});

test('an error event of a client without a listener ends the process', async (t) => {
  const { code, stderr } = await child(t, `createClient('ws://127.0.0.1:1');`).exit;
  assert.strictEqual(code, 1);
  assert.match(stderr, /ECONNREFUSED/);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL']) {
  test(
    `${signal} with live sockets; the peers see the end`,
    {
      skip: process.platform === 'win32' && 'no signals'
    },
    async (t) => {
      const running = child(t, SERVER);
      const [, url] = (await running.said('listening')).split(' ');
      const client = createClient(url);
      await once(client, 'open');
      const closed = once(client, 'close');
      running.proc.kill(signal);
      assert.strictEqual((await running.exit).signal, signal);
      assert.strictEqual((await closed)[0], 1006);
    }
  );
}

test('garbage collection: sockets without a reference go on, closed ones do not crash', async (t) => {
  const lines = await ends(
    t,
    `
    require('v8').setFlagsFromString('--expose-gc');
    const gc = require('vm').runInNewContext('gc');
    const wss = createServer();
    wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
    let done = 0;
    wss.on('listening', () => {
      for (let i = 0; i < 30; i++) {
        createClient(wss.testUrl)
          .on('open', function () { gc(); this.send(Buffer.alloc(i * 1000, i)); })
          .on('message', function (data) {
            gc();
            if (!data.equals(Buffer.alloc(i * 1000, i))) say('corrupt', i);
            this.close();
          })
          .on('close', () => { gc(); if (++done === 30) { say('done'); wss.close(); } });
      }
    });
    `
  );
  assert.deepStrictEqual(lines, ['done']);
});

test('a process that blocks for a while gets everything afterwards', async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const running = child(
    t,
    `
    const ws = createClient(arg);
    let next = 0;
    ws.on('open', () => {
      ws.send('ready');
      const end = Date.now() + 300;
      while (Date.now() < end);
    });
    ws.on('message', (data) => { if (data.readUInt32BE(0) !== next++) say('disorder'); });
    ws.on('close', (code) => say('close', code, next));
    `,
    wss.testUrl
  );
  const [ws] = await connection;
  await once(ws, 'message');
  for (let i = 0; i < 2000; i++) {
    const data = Buffer.alloc(500);
    data.writeUInt32BE(i, 0);
    ws.send(data);
  }
  ws.close(1000);
  const { code, lines } = await running.exit;
  assert.deepStrictEqual([code, lines], [0, ['close 1000 2000']]);
  await until(() => wss.clients.size === 0);
});

test('what was sent before process.exit() arrives', { carriers: DESCRIPTOR }, async (t) => {
  const wss = await serve(t);
  const connection = once(wss, 'connection');
  const exited = ends(
    t,
    `const ws = createClient(arg);
    ws.on('open', () => {
      ws.send('bye');
      ws.close(1001);
      process.exit();
    });`,
    wss.testUrl
  );
  const [ws] = await connection;
  const message = once(ws, 'message');
  const closed = once(ws, 'close');
  assert.strictEqual(String((await message)[0]), 'bye');
  assert.strictEqual((await closed)[0], 1001);
  await exited;
});

hawserTest(
  "a callback that throws when the connection ends does not keep 'close' from coming",
  async (t) => {
    const wss = await serve(t, {}, (ws) => ws.terminate());
    const lines = await ends(
      t,
      `process.on('uncaughtException', (err) => say(err.message));
    const ws = createClient(arg);
    ws.on('open', () => {
      ws._socket.pause();
      for (let i = 0; i < 40; i++) {
        ws.send(Buffer.alloc(1 << 20), (err) => {
          if (err && i === 39) throw new Error('thrown');
        });
      }
    });
    ws.on('error', () => {});
    ws.on('close', (code) => say(code));`,
      wss.testUrl
    );
    assert.deepStrictEqual(lines.sort(), ['1006', 'thrown']);
  }
);
