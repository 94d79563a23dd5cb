'use strict';

// permessage-deflate between the implementation and npm ws, each as the server and as the client.

const assert = require('node:assert');
const ws = require('ws');
const { once } = require('node:events');
const { describe } = require('node:test');
const { hawserTest, messages, test } = require('../support/helpers.js');
const { prose } = require('../support/deflate.js');
const { Random } = require('../differential/support/random.js');
const impl = require('../support/impl.js');

const NAME = 'permessage-deflate';
const WINDOWS = [9, 10, 11, 12, 13, 14, 15];
const BATCH = 14;

const directions = [
  { name: 'client of npm ws', Server: impl.WebSocketServer, Client: ws.WebSocket },
  { name: 'server of npm ws', Server: ws.WebSocketServer, Client: impl.WebSocket }
];

/** All windows with all takeovers. */
const combinations = WINDOWS.flatMap((serverMaxWindowBits) =>
  WINDOWS.flatMap((clientMaxWindowBits) =>
    [false, true].flatMap((server) =>
      [false, true].map((client) => ({
        serverMaxWindowBits,
        clientMaxWindowBits,
        // false would exclude what the other end may ask for
        serverNoContextTakeover: server || undefined,
        clientNoContextTakeover: client || undefined
      }))
    )
  )
);

const block = new Random(7692).bytes(1500);
const text = Buffer.from(prose(40000));
// the first again, when it may stand in the window and when it can not
const MESSAGES = [block, Buffer.from('short'), block, text, block];

/** A connected pair, and the header that they have agreed on. */
async function connect(t, { Server, Client }, serverOption, clientOption, more = {}) {
  const wss = new Server({
    host: '127.0.0.1',
    port: 0,
    perMessageDeflate: serverOption,
    ...more.server
  });
  await once(wss, 'listening');
  const connection = once(wss, 'connection');
  const client = new Client(`ws://127.0.0.1:${wss.address().port}`, {
    perMessageDeflate: clientOption,
    ...more.client
  });
  t.after(() => {
    client.terminate();
    wss.close();
  });
  const upgrade = once(client, 'upgrade');
  const [[server], [res]] = await Promise.all([connection, upgrade, once(client, 'open')]);
  const close = async () => {
    const closed = Promise.all([once(client, 'close'), once(server, 'close')]);
    client.close();
    await closed;
    wss.close();
  };
  return { server, client, header: res.headers['sec-websocket-extensions'], close };
}

/** `list` from each end to the other one, at the same time. */
async function converse({ server, client }, list) {
  for (const socket of [server, client]) assert.strictEqual(socket.extensions, NAME);
  const got = [server, client].map((socket) => messages(socket, list.length));
  for (const socket of [server, client]) for (const data of list) socket.send(data);
  for (const received of await Promise.all(got)) {
    received.forEach(([data], i) => assert.ok(data.equals(Buffer.from(list[i])), `message ${i}`));
  }
}

async function inBatches(list, run) {
  for (let at = 0; at < list.length; at += BATCH) {
    await Promise.all(list.slice(at, at + BATCH).map(run));
  }
}

for (const direction of directions) {
  describe(direction.name, () => {
    for (const decider of ['server', 'client']) {
      test(
        `all windows with all takeovers, by the options of the ${decider}`,
        { timeout: 60_000 },
        (t) =>
          inBatches(combinations, async (option) => {
            const isServer = decider === 'server';
            const pair = await connect(
              t,
              direction,
              isServer ? option : true,
              isServer ? true : option
            );
            const has = (param) => pair.header.split('; ').includes(param);
            const title = `${JSON.stringify(option)} -> ${pair.header}`;
            assert.ok(has(`server_max_window_bits=${option.serverMaxWindowBits}`), title);
            assert.ok(has(`client_max_window_bits=${option.clientMaxWindowBits}`), title);
            assert.strictEqual(
              has('server_no_context_takeover'),
              option.serverNoContextTakeover === true,
              title
            );
            assert.strictEqual(
              has('client_no_context_takeover'),
              option.clientNoContextTakeover === true,
              title
            );
            await converse(pair, MESSAGES);
            await pair.close();
          })
      );
    }

    test('messages of all frame lengths', async (t) => {
      const pair = await connect(t, direction, true, true);
      for (const size of [0, 1, 125, 126, 1023, 1024, 65535, 65536, 1 << 20]) {
        const random = new Random(size).bytes(size);
        await converse(pair, [prose(size), random, prose(size), random]);
      }
      await pair.close();
    });

    test('compressed and plain, with pings and fragments', async (t) => {
      const pair = await connect(t, direction, true, true);
      for (const [from, to] of [
        [pair.client, pair.server],
        [pair.server, pair.client]
      ]) {
        const seen = [];
        to.on('ping', (data) => seen.push(`ping ${data}`));
        const got = messages(to, 3).finally(() => to.removeAllListeners('ping'));
        to.on('message', (data) => seen.push(String(data)));
        from.send(prose(3000));
        from.ping('1');
        from.send('plain', { compress: false });
        from.send(prose(3000), { fin: false });
        from.ping('2');
        from.send('', { fin: false });
        from.send('end');
        await got;
        to.removeAllListeners('message');
        assert.deepStrictEqual(seen, [
          prose(3000),
          'ping 1',
          'plain',
          'ping 2',
          `${prose(3000)}end`
        ]);
      }
      await pair.close();
    });

    for (const receiver of ['client', 'server']) {
      test(`a bomb for the ${receiver}`, async (t) => {
        const pair = await connect(t, direction, true, true, {
          [receiver]: { maxPayload: 100_000 }
        });
        const other = receiver === 'client' ? pair.server : pair.client;
        const failed = new Promise((resolve) => pair[receiver].on('error', resolve));
        const closed = once(other, 'close');
        other.send(Buffer.alloc(10 << 20));
        assert.strictEqual((await failed).code, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
        assert.strictEqual((await closed)[0], 1009);
      });
    }

    for (const mode of ['dedicated', 'shared', 'shared4kb', 'shared8kb', 'shared16kb']) {
      hawserTest(`mode '${mode}'`, async (t) => {
        const isServer = direction.Server === impl.WebSocketServer;
        const pair = await connect(
          t,
          direction,
          isServer ? { mode } : true,
          isServer ? true : { mode }
        );
        await converse(pair, MESSAGES);
        await pair.close();
      });
    }
  });
}
