'use strict';

// Authorization and Cookie do not follow to another host, nor from wss to ws.

const assert = require('node:assert');
const net = require('node:net');
const tls = require('node:tls');
const { HOST, once, test } = require('../support/helpers');
const { connect, dial, eachWay } = require('./support/clients');
const certificates = require('./support/certificates');
const {
  accept,
  redirect,
  refusal,
  socketPath,
  unixOnly,
  upgradeServer
} = require('./support/servers');

const PLAIN = { perMessageDeflate: false };
const basic = (text) => `Basic ${Buffer.from(text).toString('base64')}`;

/** Authorization, Cookie and X-Other of a request. */
function credentials({ headers: { authorization, cookie, 'x-other': other } }) {
  return { authorization, cookie, other };
}

/** A server that redirects to `/end` at `location()`, or accepts there. */
function hop(t, location, settings) {
  return upgradeServer(t, {
    ...settings,
    answer(peer, req) {
      if (req.url === '/end') accept(peer, req);
      else peer.write(refusal(302, [`Location: ${location()}`]));
    }
  });
}

const OWN = { Authorization: 'Bearer x', Cookie: 'a=b', 'X-Other': 'yes' };

eachWay('the same host gets them again', async (t, options) => {
  const server = await hop(t, () => '/end');
  await connect(t, server.url, options({ followRedirects: true, headers: OWN }));
  for (const req of server.requests) {
    assert.deepStrictEqual(credentials(req), {
      authorization: 'Bearer x',
      cookie: 'a=b',
      other: 'yes'
    });
  }
});

eachWay('another port is another host: they are dropped', async (t, options) => {
  const target = await upgradeServer(t);
  const server = await upgradeServer(t, { answer: redirect(target.url) });
  await connect(t, server.url, options({ followRedirects: true, headers: OWN }));
  assert.strictEqual(credentials(server.requests[0]).cookie, 'a=b');
  assert.deepStrictEqual(credentials(target.requests[0]), {
    authorization: undefined,
    cookie: undefined,
    other: 'yes'
  });
});

eachWay('another name of the same address is another host', async (t, options) => {
  const server = await hop(t, () => `ws://name.invalid:${server.port}/end`);
  const lookup = (name, { all }, callback) =>
    all ? callback(null, [{ address: HOST, family: 4 }]) : callback(null, HOST, 4);
  await connect(t, server.url, options({ followRedirects: true, headers: OWN, lookup }));
  assert.strictEqual(server.requests[1].headers.host, `name.invalid:${server.port}`);
  assert.strictEqual(credentials(server.requests[1]).authorization, undefined);
  assert.strictEqual(credentials(server.requests[1]).cookie, undefined);
});

eachWay('they come back with the first host', async (t, options) => {
  const server = await hop(t, () => other.url);
  const other = await upgradeServer(t, {
    answer: (peer) => peer.write(refusal(302, [`Location: ${server.url}/end`]))
  });
  await connect(t, server.url, options({ followRedirects: true, headers: OWN }));
  assert.strictEqual(credentials(other.requests[0]).authorization, undefined);
  assert.deepStrictEqual(credentials(server.requests[1]), {
    authorization: 'Bearer x',
    cookie: 'a=b',
    other: 'yes'
  });
});

eachWay('a Host field of the caller is for the first host', async (t, options) => {
  const target = await upgradeServer(t);
  const server = await upgradeServer(t, {
    answer: (peer, req) =>
      peer.write(refusal(302, [`Location: ${req.url === '/' ? '/again' : target.url}`]))
  });
  const headers = { Host: 'front.test' };
  await connect(t, server.url, options({ followRedirects: true, headers }));
  assert.deepStrictEqual(
    [...server.requests, ...target.requests].map((req) => req.headers.host),
    ['front.test', 'front.test', target.url.slice(5)]
  );
});

for (const [title, userInfo, given, expected] of [
  ['the option auth', '', { auth: 'user:pass' }, basic('user:pass')],
  ['user info of the URL', 'u%40:p@', {}, basic('u@:p')],
  ['user info before the option', 'u:p@', { auth: 'user:pass' }, basic('u:p')],
  ['a field before both', 'u:p@', { auth: 'a:b', headers: { authorization: 'own' } }, 'own']
]) {
  eachWay(`${title}: sent again to the same host, not to another`, async (t, options) => {
    const target = await upgradeServer(t);
    const server = await upgradeServer(t, {
      answer: (peer, req) =>
        peer.write(refusal(302, [`Location: ${req.url === '/' ? '/again' : target.url}`]))
    });
    const url = `${server.url.replace('//', `//${userInfo}`)}/`;
    await connect(t, url, options({ followRedirects: true, ...given }));
    assert.deepStrictEqual(
      [...server.requests, ...target.requests].map((req) => req.headers.authorization),
      [expected, expected, undefined]
    );
  });
}

eachWay('user info of a location: the first credentials win', async (t, options) => {
  const server = await hop(t, () => `${server.url.replace('//', '//second:2@')}/end`);
  const url = server.url.replace('//', '//first:1@');
  await connect(t, url, options({ followRedirects: true }));
  assert.strictEqual(server.requests[1].headers.authorization, basic('first:1'));
});

eachWay('user info of a location: used when there was none', async (t, options) => {
  const server = await hop(t, () => `${server.url.replace('//', '//second:2@')}/end`);
  await connect(t, server.url, options({ followRedirects: true }));
  assert.strictEqual(server.requests[0].headers.authorization, undefined);
  assert.strictEqual(server.requests[1].headers.authorization, basic('second:2'));
});

eachWay('user info of a location on another host is not used', async (t, options) => {
  const target = await upgradeServer(t);
  const server = await upgradeServer(t, {
    answer: redirect(target.url.replace('//', '//second:2@'))
  });
  await connect(t, server.url, options({ followRedirects: true }));
  assert.strictEqual(target.requests[0].headers.authorization, undefined);
});

eachWay("a listener of 'redirect' keeps all of them", async (t, options) => {
  const target = await upgradeServer(t);
  const server = await upgradeServer(t, { answer: redirect(target.url) });
  const headers = { ...OWN, Host: 'front.test' };
  const client = dial(t, server.url, options({ followRedirects: true, headers }));
  const seen = [];
  client.on('redirect', (to, req) => {
    seen.push(['authorization', 'cookie', 'host'].map((name) => req.getHeader(name)));
  });
  await once(client, 'open');
  assert.deepStrictEqual(seen, [['Bearer x', 'a=b', 'front.test']]);
  assert.deepStrictEqual(credentials(target.requests[0]), {
    authorization: 'Bearer x',
    cookie: 'a=b',
    other: 'yes'
  });
  assert.strictEqual(target.requests[0].headers.host, 'front.test');
});

eachWay("a listener of 'redirect' can change them", async (t, options) => {
  const target = await upgradeServer(t);
  const server = await upgradeServer(t, { answer: redirect(target.url) });
  const client = dial(t, server.url, options({ followRedirects: true, headers: OWN }));
  client.on('redirect', (to, req) => {
    req.removeHeader('authorization');
    req.setHeader('Cookie', 'c=d');
  });
  await once(client, 'open');
  assert.deepStrictEqual(credentials(target.requests[0]), {
    authorization: undefined,
    cookie: 'c=d',
    other: 'yes'
  });
});

/** Connections to `wss:` and `ws:` of any name end at these servers. */
function routed(secure, plain) {
  return {
    ...PLAIN,
    followRedirects: true,
    createConnection: (options) =>
      Number(options.port) === 443
        ? tls.connect({
            port: secure.port,
            host: HOST,
            ca: certificates.ca,
            servername: 'name.test'
          })
        : net.connect(plain.port, HOST)
  };
}

/** Servers for `wss://name.test/` and `ws://name.test/`; both redirect to `location` but at `/end`. */
async function twoServers(t, location) {
  const secure = await hop(t, () => location, { tls: certificates.server });
  const plain = await hop(t, () => location);
  return { secure, plain, options: { ...routed(secure, plain), headers: OWN } };
}

test('wss to ws of one name: Authorization and Cookie are dropped, Host is not', async (t) => {
  const { secure, plain, options } = await twoServers(t, 'ws://name.test/end');
  options.headers = { ...OWN, Host: 'front.test' };
  await connect(t, 'wss://name.test/', options);
  assert.strictEqual(credentials(secure.requests[0]).cookie, 'a=b');
  assert.deepStrictEqual(credentials(plain.requests[0]), {
    authorization: undefined,
    cookie: undefined,
    other: 'yes'
  });
  assert.strictEqual(plain.requests[0].headers.host, 'front.test');
});

test('ws to wss of one name, and wss to wss: they are sent', async (t) => {
  const { secure, plain, options } = await twoServers(t, 'https://name.test/end');
  await connect(t, 'ws://name.test/', options);
  await connect(t, 'wss://name.test/', options);
  assert.strictEqual(plain.requests.length, 1);
  assert.strictEqual(secure.requests.length, 3);
  for (const req of secure.requests) {
    assert.strictEqual(credentials(req).authorization, 'Bearer x');
    assert.strictEqual(credentials(req).cookie, 'a=b');
  }
});

eachWay('ws+unix: the same socket is the same host', unixOnly, async (t, options) => {
  const file = socketPath(t);
  const server = await hop(t, () => `ws+unix:${file}:/end`, { address: { path: file } });
  await connect(t, `ws+unix:${file}:/`, options({ followRedirects: true, headers: OWN }));
  assert.strictEqual(credentials(server.requests[1]).authorization, 'Bearer x');
  assert.strictEqual(credentials(server.requests[1]).cookie, 'a=b');
});

eachWay('ws+unix: another socket, or TCP, is another host', unixOnly, async (t, options) => {
  const [file, other] = [socketPath(t), socketPath(t)];
  const second = await upgradeServer(t, { address: { path: other } });
  const tcp = await upgradeServer(t);
  for (const [target, location] of [
    [second, `ws+unix:${other}:/`],
    [tcp, tcp.url]
  ]) {
    const address = { path: `${file}${target === tcp ? '-2' : ''}` };
    await upgradeServer(t, { address, answer: redirect(location) });
    const url = `ws+unix:${address.path}:/`;
    await connect(t, url, options({ followRedirects: true, headers: OWN }));
    assert.deepStrictEqual(credentials(target.requests[0]), {
      authorization: undefined,
      cookie: undefined,
      other: 'yes'
    });
  }
});

eachWay('ws to ws+unix is another host', unixOnly, async (t, options) => {
  const file = socketPath(t);
  const target = await upgradeServer(t, { address: { path: file } });
  const server = await upgradeServer(t, { answer: redirect(`ws+unix:${file}:/`) });
  await connect(t, server.url, options({ followRedirects: true, headers: OWN }));
  assert.strictEqual(credentials(target.requests[0]).authorization, undefined);
  assert.strictEqual(credentials(target.requests[0]).cookie, undefined);
});
