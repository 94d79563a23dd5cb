'use strict';

// Everything that two implementations say to each other, one as the server and one as the client.

const assert = require('node:assert');
const { once } = require('node:events');
const { describe } = require('node:test');
const { test } = require('../support/helpers.js');

const SIZES = [0, 1, 125, 126, 127, 4096, 65535, 65536, 1024 * 1024];
const CLOSES = [
  [1000, 'bye'],
  [1001, ''],
  [1011, 'ü'.repeat(61)],
  [3000, 'three thousand'],
  [4999, 'x'.repeat(123)]
];

/**
 * @param {string} name
 * @param {(options: object) => Promise<{ wss: object, url: string }>} listen starts a server; what it
 *   is on goes with it
 * @param {Function} Client
 * @param {object} [clientOptions] of every client
 */
function suite(name, listen, Client, clientOptions) {
  describe(name, () => {
    /** A connected pair with everybody's default options, unless `options` say otherwise. */
    async function connect(t, { server: serverOptions, client: ownOptions, protocols } = {}) {
      const { wss, url } = await listen(serverOptions);
      const connection = once(wss, 'connection');
      const options = { ...clientOptions, ...ownOptions };
      const client = new Client(`${url}/some/path?q=1`, protocols ?? [], options);
      t.after(() => {
        client.terminate();
        for (const peer of wss.clients) peer.terminate();
        wss.close();
      });
      const [[server, req]] = await Promise.all([connection, once(client, 'open')]);
      return { server, client, req };
    }

    test('handshake', async (t) => {
      const { server, client, req } = await connect(t, {
        protocols: ['first', 'second'],
        client: { headers: { 'X-Test': 'yes' }, origin: 'http://example.test' }
      });
      assert.strictEqual(req.url, '/some/path?q=1');
      assert.strictEqual(req.headers['x-test'], 'yes');
      assert.strictEqual(req.headers.origin, 'http://example.test');
      assert.strictEqual(client.protocol, 'first');
      assert.strictEqual(server.protocol, 'first');
      // A client's default offer of permessage-deflate is not taken up by a server's defaults.
      assert.strictEqual(client.extensions, '');
      assert.strictEqual(server.extensions, '');
    });

    test('messages of all frame lengths, there and back', async (t) => {
      const { server, client } = await connect(t);
      server.on('message', (data, isBinary) => server.send(data, { binary: isBinary }));
      for (const size of SIZES) {
        for (const isBinary of [true, false]) {
          const data = Buffer.from(Array.from({ length: size }, (_, i) => i % 128));
          client.send(data, { binary: isBinary });
          const [echo, isEchoBinary] = await once(client, 'message');
          assert(data.equals(echo), `${size} bytes`);
          assert.strictEqual(isEchoBinary, isBinary);
        }
      }
      client.send('日本語 🚢');
      const [text] = await once(client, 'message');
      assert.strictEqual(text.toString(), '日本語 🚢');
    });

    test('fragments, with pings between them', async (t) => {
      const { server, client } = await connect(t);
      for (const [from, to] of [
        [client, server],
        [server, client]
      ]) {
        const seen = [];
        to.on('message', (data, isBinary) => seen.push([data.toString(), isBinary]));
        to.on('ping', (data) => seen.push(['ping', data.toString()]));
        const isOver = once(to, 'round-over');
        to.on('message', (data) => data.toString() === 'end' && to.emit('round-over'));
        from.send('one ', { fin: false });
        from.ping('between');
        from.send('two ', { fin: false });
        from.send('', { fin: false });
        from.send('three', { fin: true });
        from.send(Buffer.from('bin'), { fin: false });
        from.send(Buffer.from('ary'), { fin: true });
        from.send('end');
        await isOver;
        assert.deepStrictEqual(seen, [
          ['ping', 'between'],
          ['one two three', false],
          ['binary', true],
          ['end', false]
        ]);
        to.removeAllListeners('message');
      }
    });

    test('ping and pong', async (t) => {
      const { server, client } = await connect(t);
      for (const [from, to] of [
        [client, server],
        [server, client]
      ]) {
        for (const payload of ['', 'p'.repeat(125)]) {
          const ping = once(to, 'ping');
          const pong = once(from, 'pong');
          from.ping(payload);
          assert.strictEqual((await ping)[0].toString(), payload);
          assert.strictEqual((await pong)[0].toString(), payload);
        }
        const unasked = once(to, 'pong');
        from.pong('unasked');
        assert.strictEqual((await unasked)[0].toString(), 'unasked');
      }
    });

    test('a long burst keeps its order', async (t) => {
      const { server, client } = await connect(t);
      const count = 10_000;
      server.on('message', (data, isBinary) => server.send(data, { binary: isBinary }));
      let next = 0;
      const done = new Promise((resolve, reject) => {
        client.on('message', (data) => {
          if (Number(data) !== next) reject(new Error(`${data} came when ${next} was due`));
          if (++next === count) resolve();
        });
        client.on('close', () => reject(new Error('closed')));
      });
      for (let i = 0; i < count; i++) client.send(String(i));
      await done;
    });

    for (const closer of ['client', 'server']) {
      for (const [code, reason] of CLOSES) {
        test(`the ${closer} closes with ${code}`, async (t) => {
          const pair = await connect(t);
          const closes = [once(pair.client, 'close'), once(pair.server, 'close')];
          pair[closer].close(code, reason);
          for (const [seenCode, seenReason] of await Promise.all(closes)) {
            assert.strictEqual(seenCode, code);
            assert.strictEqual(seenReason.toString(), reason);
          }
        });
      }

      test(`the ${closer} closes without a code`, async (t) => {
        const pair = await connect(t);
        const closes = [once(pair.client, 'close'), once(pair.server, 'close')];
        pair[closer].close();
        for (const [code, reason] of await Promise.all(closes)) {
          assert.strictEqual(code, 1005);
          assert.strictEqual(reason.length, 0);
        }
      });

      test(`the ${closer} terminates`, async (t) => {
        const pair = await connect(t);
        const closes = [once(pair.client, 'close'), once(pair.server, 'close')];
        pair[closer].terminate();
        for (const [code] of await Promise.all(closes)) assert.strictEqual(code, 1006);
      });
    }

    test('what was sent before close() arrives', async (t) => {
      const { server, client } = await connect(t);
      const sizes = [];
      server.on('message', (data) => sizes.push(data.length));
      const closed = once(server, 'close');
      for (let i = 0; i < 20; i++) client.send(Buffer.alloc(100_000));
      client.close(1000);
      assert.strictEqual((await closed)[0], 1000);
      assert.deepStrictEqual(sizes, Array(20).fill(100_000));
    });

    for (const receiver of ['client', 'server']) {
      test(`the ${receiver} refuses a message over maxPayload`, async (t) => {
        const pair = await connect(t, { [receiver]: { maxPayload: 1000 } });
        const to = pair[receiver];
        const from = receiver === 'client' ? pair.server : pair.client;
        const seen = [];
        to.on('error', (err) => seen.push(err.code));
        // once() would reject on the error
        const ownClose = new Promise((resolve) => to.on('close', resolve));
        const peerClose = once(from, 'close');
        from.send(Buffer.alloc(1001));
        const [ownCode, [peerCode]] = await Promise.all([ownClose, peerClose]);
        assert.deepStrictEqual(seen, ['WS_ERR_UNSUPPORTED_MESSAGE_LENGTH']);
        assert.strictEqual(ownCode, 1006);
        assert.strictEqual(peerCode, 1009);
      });
    }
  });
}

module.exports = { suite };
