'use strict';

const assert = require('node:assert');
const { HttpProxyAgent } = require('http-proxy-agent');
const { HttpsProxyAgent } = require('https-proxy-agent');
const { SocksProxyAgent } = require('socks-proxy-agent');
const { HOST, messages, once, record, test, until } = require('../support/helpers');
const { OP, closePayload } = require('../support/raw-peer');
const { TOO_EARLY, connect, converse, dial, failure } = require('./support/clients');
const { ca, server: certificate } = require('./support/certificates');
const { httpProxy } = require('./support/http-proxy');
const { deadPort, refuse, redirect, switching, upgradeServer } = require('./support/servers');
const { socksProxy } = require('./support/socks-proxy');

const PLAIN = { perMessageDeflate: false };
const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;

/** [title, what makes the proxy, what makes the agent]; those for CONNECT and SOCKS are tunnels. */
const CONNECT = ['https-proxy-agent', httpProxy, (url) => new HttpsProxyAgent(url)];
const SOCKS = ['socks-proxy-agent', socksProxy, (url) => new SocksProxyAgent(url)];
const FORWARD = ['http-proxy-agent', httpProxy, (url) => new HttpProxyAgent(url)];

for (const [title, makeProxy, makeAgent] of [CONNECT, SOCKS, FORWARD]) {
  test(`${title}: ws: messages both ways and the closing handshake`, async (t) => {
    const server = await upgradeServer(t);
    const proxy = await makeProxy(t);
    const agent = makeAgent(proxy.url);
    const client = await connect(t, `${server.url}/path?q`, { ...PLAIN, agent });
    const peer = await server.next();
    assert.strictEqual(proxy.log.length, 1);
    assert.strictEqual(peer.request.url, '/path?q');
    assert.strictEqual(peer.request.headers.host, server.url.slice(5));
    assert.strictEqual(peer.request.headers.upgrade, 'websocket');
    await converse(client, peer);
    const closed = once(client, 'close');
    client.close(1000, 'done');
    assert.strictEqual(await peer.closeFrame(), 1000);
    peer.send(OP.CLOSE, closePayload(1000, 'done'));
    assert.deepStrictEqual(await closed, [1000, Buffer.from('done')]);
  });

  test(`${title}: 2 MiB both ways`, async (t) => {
    const server = await upgradeServer(t);
    const proxy = await makeProxy(t);
    const client = await connect(t, server.url, { ...PLAIN, agent: makeAgent(proxy.url) });
    const peer = await server.next();
    const payload = Buffer.alloc(2 << 20, 'abcdefg');
    const received = messages(client, 1);
    peer.send(OP.BINARY, payload);
    client.send(payload);
    assert.ok((await received)[0][0].equals(payload));
    assert.ok((await peer.frame()).payload.equals(payload));
  });

  test(`${title}: frames in the packet of the 101`, async (t) => {
    const server = await upgradeServer(t, {
      answer: (peer, req) =>
        peer.write(Buffer.concat([Buffer.from(switching(req)), peer.build(OP.TEXT, 'early')]))
    });
    const proxy = await makeProxy(t);
    const client = dial(t, server.url, { ...PLAIN, agent: makeAgent(proxy.url) });
    assert.strictEqual(String((await once(client, 'message'))[0]), 'early');
  });

  test(`${title}: a refusal of the server`, async (t) => {
    const server = await upgradeServer(t, { answer: refuse(403, [], 'denied') });
    const proxy = await makeProxy(t);
    const options = { ...PLAIN, agent: makeAgent(proxy.url) };
    const err = await failure(dial(t, server.url, options));
    assert.strictEqual(err.message, 'Unexpected server response: 403');
    const [, res] = await once(dial(t, server.url, options), 'unexpected-response');
    let body = '';
    for await (const chunk of res) body += chunk;
    assert.strictEqual(body, 'denied');
  });

  test(`${title}: redirects go through the proxy`, async (t) => {
    const target = await upgradeServer(t);
    const server = await upgradeServer(t, { answer: redirect(`${target.url}/x`) });
    const proxy = await makeProxy(t);
    const agent = makeAgent(proxy.url);
    const client = await connect(t, server.url, { ...PLAIN, agent, followRedirects: true });
    assert.strictEqual(proxy.log.length, 2);
    await converse(client, await target.next());
  });

  test(`${title}: close() while the server has not answered`, async (t) => {
    const server = await upgradeServer(t, { answer: () => {} });
    const proxy = await makeProxy(t);
    const client = dial(t, server.url, { ...PLAIN, agent: makeAgent(proxy.url) });
    const peer = await server.next();
    const failed = failure(client);
    client.close();
    assert.strictEqual((await failed).message, TOO_EARLY);
    await peer.end();
  });

  test(`${title}: the server ends the connection: close 1006`, async (t) => {
    const server = await upgradeServer(t);
    const proxy = await makeProxy(t);
    const client = await connect(t, server.url, { ...PLAIN, agent: makeAgent(proxy.url) });
    const log = record(client, ['error', 'close']);
    (await server.next()).destroy();
    await until(() => log.length > 0);
    assert.deepStrictEqual(log, [['close', 1006, Buffer.alloc(0)]]);
  });

  test(`${title}: a proxy that is not there`, async (t) => {
    const port = await deadPort();
    const scheme = title.startsWith('socks') ? 'socks5h' : 'http';
    const agent = makeAgent(`${scheme}://${HOST}:${port}`);
    const err = await failure(dial(t, `ws://${HOST}:1`, { ...PLAIN, agent }));
    assert.match(`${err.code} ${err.message}`, /ECONNREFUSED/);
  });
}

for (const [title, makeProxy, makeAgent] of [CONNECT, SOCKS]) {
  test(`${title}: wss: through the tunnel`, async (t) => {
    const server = await upgradeServer(t, { tls: certificate });
    const proxy = await makeProxy(t);
    const agent = makeAgent(proxy.url);
    const client = await connect(t, server.url, { ...PLAIN, agent, ca });
    assert.strictEqual(client._socket.encrypted, true);
    assert.strictEqual(client._socket.getPeerCertificate().subject.CN, 'server');
    await converse(client, await server.next());
    const err = await failure(dial(t, server.url, { ...PLAIN, agent }));
    assert.strictEqual(err.code, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  test(`${title}: the proxy is told the name`, async (t) => {
    const server = await upgradeServer(t);
    const proxy = await makeProxy(t);
    const url = `ws://name.invalid:${server.port}/`;
    const client = await connect(t, url, { ...PLAIN, agent: makeAgent(proxy.url) });
    assert.match(String(proxy.log[0]), new RegExp(`name\\.invalid:${server.port}`));
    await converse(client, await server.next());
  });

  test(`${title}: one agent for several clients`, async (t) => {
    const server = await upgradeServer(t);
    const proxy = await makeProxy(t);
    const agent = makeAgent(proxy.url);
    for (let i = 0; i < 3; i++) {
      const client = await connect(t, server.url, { ...PLAIN, agent });
      await converse(client, await server.next());
    }
    assert.strictEqual(proxy.log.length, 3);
  });
}

test('https-proxy-agent: credentials, right and wrong', async (t) => {
  const server = await upgradeServer(t);
  const proxy = await httpProxy(t, { credentials: 'user:pass' });
  const agent = new HttpsProxyAgent(proxy.url);
  const client = await connect(t, server.url, { ...PLAIN, agent });
  assert.deepStrictEqual(proxy.log, [['CONNECT', `${HOST}:${server.port}`, basic('user:pass')]]);
  await converse(client, await server.next());

  const wrong = new HttpsProxyAgent(proxy.url.replace('pass', 'guess'));
  const err = await failure(dial(t, server.url, { ...PLAIN, agent: wrong }));
  assert.strictEqual(err.message, 'Unexpected server response: 407');
});

test("https-proxy-agent: 'unexpected-response' of the proxy", async (t) => {
  const proxy = await httpProxy(t, { credentials: 'user:pass' });
  const agent = new HttpsProxyAgent(`http://${HOST}:${proxy.address().port}`);
  const client = dial(t, `ws://${HOST}:1`, { ...PLAIN, agent });
  const [, res] = await once(client, 'unexpected-response');
  assert.strictEqual(res.statusCode, 407);
  assert.strictEqual(res.headers['proxy-authenticate'], 'Basic');
  let body = '';
  for await (const chunk of res) body += chunk;
  assert.strictEqual(body, 'denied');
});

test('http-proxy-agent: the request is in absolute form, with the credentials', async (t) => {
  const server = await upgradeServer(t);
  const proxy = await httpProxy(t, { credentials: 'user:pass' });
  const agent = new HttpProxyAgent(proxy.url);
  const client = await connect(t, `${server.url}/path?q`, { ...PLAIN, agent });
  assert.deepStrictEqual(proxy.log, [
    ['GET', `http://${server.url.slice(5)}/path?q`, basic('user:pass')]
  ]);
  assert.strictEqual(server.requests[0].headers['proxy-authorization'], undefined);
  await converse(client, await server.next());
});

test('socks-proxy-agent: credentials, right and wrong', async (t) => {
  const server = await upgradeServer(t);
  const proxy = await socksProxy(t, { credentials: 'user:pass' });
  const agent = new SocksProxyAgent(proxy.url);
  const client = await connect(t, server.url, { ...PLAIN, agent });
  await converse(client, await server.next());

  const wrong = new SocksProxyAgent(proxy.url.replace('pass', 'guess'));
  const err = await failure(dial(t, server.url, { ...PLAIN, agent: wrong }));
  assert.match(err.message, /authentication failed/i);
});

test('socks-proxy-agent: a server that is not there', async (t) => {
  const proxy = await socksProxy(t);
  const port = await deadPort();
  const agent = new SocksProxyAgent(proxy.url);
  const err = await failure(dial(t, `ws://${HOST}:${port}`, { ...PLAIN, agent }));
  assert.match(err.message, /ConnectionRefused/);
});
