'use strict';

// Where early-utf8.js allows for a difference, and that it does not do so elsewhere.

const assert = require('node:assert');
const { test } = require('../support/helpers');
const { OP, buildFrame, closePayload } = require('../support/raw-peer');
const { eventsBeforeEarlyUtf8, withEarlyUtf8 } = require('./support/early-utf8');

const OPTIONS = { isServer: false, maxPayload: 1000, maxFragments: 4, skipUTF8Validation: false };
const frame = (opcode, payload, options) => buildFrame({ opcode, payload, ...options });
const open = { fin: false };
const bad = Buffer.from([0x61, 0xed, 0xa0]);
const ping = frame(OP.PING, 'p');

// [title, bytes, events before, options]
for (const [title, bytes, events, options] of [
  ['the first fragment', [frame(OP.TEXT, bad, open)], 0],
  ['an unfinished frame', [frame(OP.TEXT, bad, { length: 100 })], 0],
  ['after other events', [frame(OP.TEXT, 'a'), ping, frame(OP.TEXT, bad, open), ping], 2],
  ['between fragments', [frame(OP.TEXT, 'a', open), ping, frame(OP.CONT, bad, open)], 1],
  [
    'over fragments',
    [frame(OP.TEXT, bad.subarray(0, 2), open), ping, frame(OP.CONT, bad.subarray(2), open)],
    1
  ],
  ['a masked frame', [frame(OP.TEXT, bad, { ...open, mask: true })], 0, { isServer: true }],
  ['a byte that starts nothing', [frame(OP.TEXT, [0xf5], open)], 0],
  ['an overlong start', [frame(OP.TEXT, [0xe0, 0x9f], open)], 0],
  ['beyond U+10FFFF', [frame(OP.TEXT, [0xf4, 0x90], open)], 0],
  ['the last fragment: there ws says it too', [frame(OP.TEXT, '', open), frame(OP.CONT, bad)], -1],
  ['a whole message', [frame(OP.TEXT, bad)], -1],
  ['a character that may go on', [frame(OP.TEXT, [0xf0, 0x9f, 0x98], open)], -1],
  ['binary', [frame(OP.BINARY, bad, open)], -1],
  ['skipUTF8Validation', [frame(OP.TEXT, bad, open)], -1, { skipUTF8Validation: true }],
  ['behind a close frame', [frame(OP.CLOSE, closePayload(1000)), frame(OP.TEXT, bad, open)], -1],
  ['behind a broken rule', [frame(OP.TEXT, bad, { ...open, rsv1: true })], -1],
  ['with a wrong mask', [frame(OP.TEXT, bad, { ...open, mask: true })], -1],
  ['in a message that is too long', [frame(OP.TEXT, bad, { ...open, length: 1001 })], -1],
  [
    'in a fragment too many',
    [frame(OP.TEXT, '', open), frame(OP.CONT, bad, open)],
    -1,
    { maxFragments: 1 }
  ],
  ['nothing', [], -1]
]) {
  test(title, () => {
    const settings = { ...OPTIONS, ...options };
    assert.strictEqual(eventsBeforeEarlyUtf8(Buffer.concat(bytes), settings), events);
  });
}

test('the trace ends there with the error of ws', () => {
  const bytes = Buffer.concat([ping, frame(OP.TEXT, bad, open), ping, frame(3, '')]);
  const trace = [{ name: 'ping' }, { name: 'ping' }, { name: 'error', code: 'other' }];
  const early = withEarlyUtf8(trace, { bytes, options: OPTIONS });
  assert.deepStrictEqual(
    early.map(({ name, code, status }) => [name, code, status]),
    [
      ['ping', undefined, undefined],
      ['error', 'WS_ERR_INVALID_UTF8', 1007]
    ]
  );
});

test('other traces stay as they are', () => {
  const trace = [{ name: 'text' }];
  assert.strictEqual(withEarlyUtf8(trace, { bytes: frame(OP.TEXT, 'a'), options: OPTIONS }), trace);
});
