'use strict';

const assert = require('node:assert');
const {
  connect,
  delay,
  dial,
  echo,
  messages,
  once,
  serve,
  test,
  until,
  within
} = require('./support/helpers');
const { next, start } = require('./support/worker');

const ECHO_SERVER = `
  const wss = createServer();
  wss.on('connection', (ws) => ws.on('message', (message, binary) => ws.send(message, { binary })));
  wss.on('listening', () => post(wss.testUrl));
`;
const FLOOD_CLIENT = `
  const ws = createClient(data);
  ws.on('error', () => {});
  const flood = () => { for (let i = 0; i < 20; i++) ws.send(Buffer.alloc(i * 300)); };
  ws.on('open', () => { post('open'); flood(); });
  let count = 0;
  ws.on('message', () => { if (++count % 20 === 0) flood(); });
`;

/** The main thread's own conversation, which must go on whatever the workers do. */
async function conversation(t) {
  const wss = await serve(t, {}, echo);
  const client = await connect(t, wss.testUrl);
  let round = 0;
  const check = async () => {
    const text = `round ${round++}`;
    const got = messages(client, 1);
    client.send(text);
    assert.strictEqual(String((await got)[0][0]), text);
  };
  return { wss, check };
}

test('a server in a worker, a client in the main thread', async (t) => {
  const worker = start(t, ECHO_SERVER);
  const client = await connect(t, await next(worker));
  const got = messages(client, 2);
  client.send('to the worker');
  client.send(Buffer.alloc(200000, 9));
  const [text, binary] = await got;
  assert.strictEqual(String(text[0]), 'to the worker');
  assert.ok(binary[0].equals(Buffer.alloc(200000, 9)));
});

test('a client in a worker, which exits by itself after close()', async (t) => {
  const wss = await serve(t, {}, echo);
  const worker = start(
    t,
    `
    const ws = createClient(data);
    ws.on('open', () => ws.send('from a worker'));
    ws.on('message', (message) => { post(String(message)); ws.close(1000); });
    ws.on('close', (code) => post(code));
    `,
    wss.testUrl
  );
  const log = [];
  worker.on('message', (message) => log.push(message));
  assert.strictEqual(await within(worker.exited, 'the exit of the worker'), 0);
  assert.deepStrictEqual(log, ['from a worker', 1000]);
});

test('a server and a client in one worker, closed by themselves', async (t) => {
  const worker = start(
    t,
    `${ECHO_SERVER}
    wss.on('listening', () => {
      const ws = createClient(wss.testUrl);
      ws.on('open', () => ws.send('x'));
      ws.on('message', () => { ws.close(); wss.close(); });
    });`
  );
  assert.strictEqual(await within(worker.exited, 'the exit of the worker'), 0);
});

test('a worker stays while its server listens', async (t) => {
  const worker = start(t, ECHO_SERVER);
  let exited = false;
  worker.on('exit', () => {
    exited = true;
  });
  await next(worker);
  await delay(200);
  assert.strictEqual(exited, false);
  await worker.terminate();
});

test('several workers at once, each with its server; messages do not cross', async (t) => {
  const workers = Array.from({ length: 4 }, () => start(t, ECHO_SERVER));
  const urls = await Promise.all(workers.map(next));
  assert.strictEqual(new Set(urls).size, 4);
  await Promise.all(
    urls.map(async (url, i) => {
      const client = await connect(t, url);
      const got = messages(client, 200);
      for (let k = 0; k < 200; k++) client.send(`${i}:${k}`);
      (await got).forEach(([data], k) => assert.strictEqual(String(data), `${i}:${k}`));
    })
  );
});

test('terminate() of a worker with a live server: its clients get 1006', async (t) => {
  const main = await conversation(t);
  const worker = start(t, ECHO_SERVER);
  const client = await connect(t, await next(worker));
  const closed = once(client, 'close');
  await worker.terminate();
  assert.strictEqual((await closed)[0], 1006);
  await main.check();
});

test('terminate() of a worker with a live client: the server gets 1006', async (t) => {
  const main = await conversation(t);
  const connection = once(main.wss, 'connection');
  const worker = start(t, `createClient(data).on('open', () => post('open'));`, main.wss.testUrl);
  const [ws] = await connection;
  const closed = once(ws, 'close');
  await next(worker);
  await worker.terminate();
  assert.strictEqual((await closed)[0], 1006);
  await main.check();
});

test('terminate() at any time, in a loop, under load', { timeout: 60000 }, async (t) => {
  const main = await conversation(t);
  for (let i = 0; i < 24; i++) {
    const worker = start(t, FLOOD_CLIENT, main.wss.testUrl);
    if (i % 4 !== 0) await next(worker);
    await delay((i * 7) % 30);
    await worker.terminate();
    await main.check();
  }
  await until(() => main.wss.clients.size === 1);
});

test(
  'terminate() while listening, connecting and closing, in a loop',
  { timeout: 60000 },
  async (t) => {
    const main = await conversation(t);
    const bodies = [
      `${ECHO_SERVER}`,
      `createClient(data); post('');`,
      `const ws = createClient(data); ws.on('open', () => { ws.close(); post(''); });`,
      `const ws = createClient(data); ws.on('error', () => {}); ws.terminate(); post('');`,
      `const ws = createClient(data); ws.on('open', () => { ws.pause(); post(''); });`,
      `const ws = createClient(data); ws.on('open', () => { ws.send(Buffer.alloc(1 << 22)); post(''); });`
    ];
    for (let i = 0; i < 18; i++) {
      const worker = start(t, bodies[i % bodies.length], main.wss.testUrl);
      await next(worker);
      await worker.terminate();
      await main.check();
    }
  }
);

test('process.exit in a worker ends that worker only', async (t) => {
  const main = await conversation(t);
  const worker = start(
    t,
    `const ws = createClient(data); ws.on('open', () => process.exit(5));`,
    main.wss.testUrl
  );
  assert.strictEqual(await within(worker.exited, 'the exit of the worker'), 5);
  await main.check();
});

test('an exception of a listener in a worker is the error of that worker', async (t) => {
  const main = await conversation(t);
  const worker = start(
    t,
    `const ws = createClient(data);
    ws.on('open', () => ws.send('x'));
    ws.on('message', () => { throw new Error('from a worker'); });`,
    main.wss.testUrl
  );
  const [err] = await once(worker, 'error');
  assert.strictEqual(err.message, 'from a worker');
  await within(worker.exited, 'the exit of the worker');
  await main.check();
});

test('the main thread may load and use the package after a worker has come and gone', async (t) => {
  for (let i = 0; i < 3; i++) {
    const worker = start(t, `${ECHO_SERVER} wss.on('listening', () => wss.close());`);
    await within(worker.exited, 'the exit of the worker');
    const wss = await serve(t, {}, echo);
    const client = dial(t, wss.testUrl);
    await once(client, 'open');
    client.send('x');
    await messages(client, 1);
    client.close();
    await once(client, 'close');
  }
});
