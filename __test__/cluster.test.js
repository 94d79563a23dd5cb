'use strict';

// node:cluster with an http.Server in each worker: the primary accepts, and hands connections out.

const assert = require('node:assert');
const cluster = require('node:cluster');
const { EXTERNAL } = require('./support/carriers');
const { dial, messages, once, test } = require('./support/helpers');

/** `count` workers that listen; they share one port. */
async function fork(t, count) {
  cluster.setupPrimary({ exec: require.resolve('./support/cluster-http-worker.js'), execArgv: [] });
  const workers = Array.from({ length: count }, () => cluster.fork());
  t.after(() => Promise.all(workers.map(end)));
  const urls = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
  assert.strictEqual(new Set(urls).size, 1, 'one port');
  return { workers, url: urls[0] };
}

async function end(worker) {
  if (worker.isDead()) return;
  const exited = once(worker, 'exit');
  worker.process.kill('SIGKILL');
  await exited;
}

test(
  'connections are spread over the workers, and served by them',
  { carriers: EXTERNAL },
  async (t) => {
    const { workers, url } = await fork(t, 2);
    const served = new Map();
    for (let i = 0; i < 8; i++) {
      const client = dial(t, url);
      const [[pid]] = await messages(client, 1);
      served.set(String(pid), client);
      const got = messages(client, 2);
      client.send(`to ${pid}`);
      client.send(Buffer.alloc(200000, i));
      const [text, binary] = await got;
      assert.deepStrictEqual([String(text[0]), text[1]], [`to ${pid}`, false]);
      assert.ok(binary[0].equals(Buffer.alloc(200000, i)));
    }
    const pids = workers.map((worker) => String(worker.process.pid));
    assert.deepStrictEqual([...served.keys()].sort(), pids.sort());
  }
);

test(
  'a worker that dies takes its connections with it, and no others',
  { carriers: EXTERNAL },
  async (t) => {
    const { workers, url } = await fork(t, 2);
    const clients = new Map();
    while (clients.size < 2) {
      const client = dial(t, url);
      const [[pid]] = await messages(client, 1);
      clients.set(Number(String(pid)), client);
    }
    const [gone, left] = workers.map((worker) => clients.get(worker.process.pid));
    const closed = once(gone, 'close');
    await end(workers[0]);
    assert.strictEqual((await closed)[0], 1006);
    const got = messages(left, 1);
    left.send('still there');
    assert.strictEqual(String((await got)[0][0]), 'still there');
  }
);
