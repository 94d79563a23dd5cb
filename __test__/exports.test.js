'use strict';

const assert = require('node:assert');
const { EventEmitter } = require('node:events');
const path = require('node:path');
const WebSocket = require('./support/impl');
const { child } = require('./support/child');
const { isWs, test } = require('./support/helpers');

const NAME = isWs ? 'ws' : 'hawser';

test('CommonJS: the WebSocket class itself, carrying the other names', () => {
  assert.strictEqual(typeof WebSocket, 'function');
  assert.strictEqual(WebSocket.name, 'WebSocket');
  assert.strictEqual(WebSocket.WebSocket, WebSocket);
  assert.strictEqual(WebSocket.Server, WebSocket.WebSocketServer);
  assert.strictEqual(WebSocket.WebSocketServer.name, 'WebSocketServer');
  for (const name of ['createWebSocketStream', 'Receiver', 'Sender', 'PerMessageDeflate']) {
    assert.strictEqual(typeof WebSocket[name], 'function', name);
  }
  assert.strictEqual(typeof WebSocket.extension.parse, 'function');
  assert.strictEqual(typeof WebSocket.extension.format, 'function');
  assert.strictEqual(typeof WebSocket.subprotocol.parse, 'function');
});

test('ESM: the same names without Server, default = WebSocket, one class identity', async () => {
  // Resolved by name through the exports map: hawser reaches itself, ws is a dependency.
  const module = await import(NAME);
  assert.strictEqual(module.default, WebSocket);
  const names = [
    'PerMessageDeflate',
    'Receiver',
    'Sender',
    'WebSocket',
    'WebSocketServer',
    'createWebSocketStream',
    'extension',
    'subprotocol'
  ];
  for (const name of names) assert.strictEqual(module[name], WebSocket[name], name);
  assert.strictEqual('Server' in module, false);
  if (isWs) assert.deepStrictEqual(Object.keys(module).sort(), [...names, 'default'].sort());
});

test('exports map: ./package.json is reachable, inner files are not', () => {
  assert.strictEqual(require(`${NAME}/package.json`).name, NAME);
  assert.throws(() => require(`${NAME}/lib/websocket.js`), {
    code: 'ERR_PACKAGE_PATH_NOT_EXPORTED'
  });
});

test('exports map: browser throws when called', () => {
  const root = path.dirname(require.resolve(`${NAME}/package.json`));
  const browser = require(path.join(root, 'browser.js'));
  assert.throws(() => browser(), /does not work in the browser/);
});

test('WebSocket and WebSocketServer extend EventEmitter', () => {
  assert.ok(WebSocket.prototype instanceof EventEmitter);
  assert.ok(WebSocket.WebSocketServer.prototype instanceof EventEmitter);
});

test('constants on the class and on the prototype: read-only and enumerable', () => {
  for (const [name, value] of Object.entries({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 })) {
    for (const target of [WebSocket, WebSocket.prototype]) {
      assert.deepStrictEqual(Object.getOwnPropertyDescriptor(target, name), {
        value,
        enumerable: true,
        configurable: false,
        writable: false
      });
    }
  }
});

test('properties live on the prototype, are enumerable, and the read-only ones have no setter', () => {
  const readOnly = ['bufferedAmount', 'extensions', 'isPaused', 'protocol', 'readyState', 'url'];
  for (const name of [...readOnly, 'binaryType', 'onopen', 'onmessage', 'onclose', 'onerror']) {
    const descriptor = Object.getOwnPropertyDescriptor(WebSocket.prototype, name);
    assert.strictEqual(descriptor.enumerable, true, name);
    assert.strictEqual(typeof descriptor.get, 'function', name);
    assert.strictEqual(descriptor.set === undefined, readOnly.includes(name), name);
  }
});

test('the methods of the prototypes', () => {
  const methods = ['addEventListener', 'close', 'pause', 'ping', 'pong', 'removeEventListener'];
  for (const name of [...methods, 'resume', 'send', 'terminate']) {
    assert.strictEqual(typeof WebSocket.prototype[name], 'function', name);
  }
  for (const name of ['address', 'close', 'handleUpgrade', 'shouldHandle']) {
    assert.strictEqual(typeof WebSocket.WebSocketServer.prototype[name], 'function', name);
  }
});

test('the classes must be called with new', () => {
  assert.throws(() => WebSocket('ws://localhost'), TypeError);
  assert.throws(() => WebSocket.WebSocketServer({ port: 0 }), TypeError);
});

test('subprotocol.parse: a Set, or a SyntaxError', () => {
  const { parse } = WebSocket.subprotocol;
  assert.deepStrictEqual([...parse('a, b ,\tc')], ['a', 'b', 'c']);
  for (const bad of ['', ',', 'a,', 'a,,b', 'a b', ' a', 'a,a', 'a/b', 'a ', '\u00e9']) {
    assert.throws(() => parse(bad), SyntaxError, bad);
  }
});

test('extension.parse and extension.format', () => {
  const { format, parse } = WebSocket.extension;
  const flat = (offers) => JSON.parse(JSON.stringify(offers));
  assert.deepStrictEqual(flat(parse('foo')), { foo: [{}] });
  assert.deepStrictEqual(flat(parse('foo; a; b=1; c="q\\1", bar,foo;d')), {
    foo: [{ a: [true], b: ['1'], c: ['q1'] }, { d: [true] }],
    bar: [{}]
  });
  for (const bad of ['', 'foo,', 'foo;', 'foo;a=', 'foo;a="', 'foo bar', ';', 'foo;a="b c"']) {
    assert.throws(() => parse(bad), SyntaxError, bad);
  }
  assert.strictEqual(format({ foo: {} }), 'foo');
  assert.strictEqual(
    format({ foo: { a: true, b: [1, 2] }, bar: [{}, { c: 'x' }] }),
    'foo; a; b=1; b=2, bar, bar; c=x'
  );
});

test('WS_NO_BUFFER_UTIL and WS_NO_UTF_8_VALIDATE are accepted', async (t) => {
  const env = { WS_NO_BUFFER_UTIL: '1', WS_NO_UTF_8_VALIDATE: '1' };
  const { exit } = child(t, 'say(typeof WebSocket)', null, env);
  assert.deepStrictEqual((await exit).lines, ['function']);
});
