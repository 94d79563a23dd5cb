'use strict';

// The static Sender.frame(data, options), which socket.io and others call themselves.

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { test } = require('../support/helpers');
const { applyMask, buildFrame, parseFrames } = require('../support/raw-peer');

const { frame } = WebSocket.Sender;
const PLAIN = { fin: true, rsv1: false, opcode: 2, mask: false, readOnly: false };
const key = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
const withKey = { mask: true, generateMask: (mask) => mask.set(key) };

/** The list that frame() returns, as one Buffer. */
const joined = (list) => Buffer.concat(list.map((part) => Buffer.from(part)));

for (const length of [0, 1, 23, 24, 125, 126, 127, 1000, 65535, 65536, 70001, 1 << 20]) {
  test(`${length} bytes: unmasked, masked, masked from read-only memory`, () => {
    const payload = Buffer.alloc(length, 'abcdefg');
    const plain = frame(payload, PLAIN);
    assert.ok(joined(plain).equals(buildFrame({ opcode: 2, payload })));
    for (const readOnly of [true, false]) {
      const list = frame(Buffer.from(payload), { ...PLAIN, ...withKey, readOnly });
      assert.ok(joined(list).equals(buildFrame({ opcode: 2, payload, mask: key })));
    }
  });
}

test('unmasked: a header, and the very data', () => {
  const data = Buffer.from('hello');
  for (const readOnly of [true, false]) {
    const list = frame(data, { ...PLAIN, readOnly });
    assert.strictEqual(list.length, 2);
    assert.deepStrictEqual(list[0], Buffer.from([0x82, 5]));
    assert.strictEqual(list[1], data);
  }
});

test('no data: a header alone', () => {
  assert.deepStrictEqual(frame(Buffer.alloc(0), PLAIN), [Buffer.from([0x82, 0])]);
  assert.deepStrictEqual(frame('', { ...PLAIN, opcode: 1 }), [Buffer.from([0x81, 0])]);
  assert.deepStrictEqual(frame(Buffer.alloc(0), { ...PLAIN, ...withKey }), [
    Buffer.from([0x82, 0x80, ...key])
  ]);
});

test('masked: read-only data stays as it is, other data is masked in place', () => {
  for (const length of [5, 100, 5000]) {
    const payload = Buffer.alloc(length, 'hello');
    const kept = Buffer.from(payload);
    const merged = frame(kept, { ...PLAIN, ...withKey, readOnly: true });
    assert.ok(kept.equals(payload));
    assert.ok(joined(merged).equals(buildFrame({ opcode: 2, payload, mask: key })));

    const given = Buffer.from(payload);
    const list = frame(given, { ...PLAIN, ...withKey, readOnly: false });
    assert.strictEqual(list[1], given);
    assert.ok(given.equals(applyMask(payload, key)));
  }
});

test('masked: random keys', () => {
  const keys = new Set();
  for (let i = 0; i < 5000; i++) {
    const [{ key: used, payload }] = parseFrames(
      joined(frame(Buffer.from('x'), { ...PLAIN, mask: true }))
    ).frames;
    assert.strictEqual(String(payload), 'x');
    keys.add(used.toString('hex'));
  }
  assert.ok(keys.size > 4990, `${keys.size} different keys`);
});

test('generateMask: fills a Buffer of 4 bytes; maskBuffer is that Buffer', () => {
  const seen = [];
  const generateMask = (mask) => {
    seen.push(mask);
    mask.set(key);
  };
  frame(Buffer.from('x'), { ...PLAIN, mask: true, generateMask });
  const maskBuffer = Buffer.alloc(4);
  frame(Buffer.from('x'), { ...PLAIN, mask: true, generateMask, maskBuffer });
  assert.ok(Buffer.isBuffer(seen[0]));
  assert.strictEqual(seen[0].length, 4);
  assert.strictEqual(seen[1], maskBuffer);
  frame(Buffer.from('x'), { ...PLAIN, generateMask });
  assert.strictEqual(seen.length, 2);
});

test('a mask of zeros: the data goes out as it is', () => {
  const data = Buffer.from('hello');
  for (const readOnly of [true, false]) {
    const generateMask = (mask) => mask.fill(0);
    const list = frame(data, { ...PLAIN, mask: true, readOnly, generateMask });
    assert.deepStrictEqual(joined(list), Buffer.from([0x82, 0x85, 0, 0, 0, 0, ...data]));
    assert.strictEqual(list[1], data);
  }
});

test('strings are UTF-8', () => {
  for (const text of ['hello', '\u20ac\u{1f600}', 'x'.repeat(70000), '\u00fc'.repeat(100)]) {
    const payload = Buffer.from(text);
    const options = { ...PLAIN, opcode: 1 };
    assert.ok(joined(frame(text, options)).equals(buildFrame({ opcode: 1, payload })));
    const masked = joined(frame(text, { ...options, ...withKey }));
    assert.ok(masked.equals(buildFrame({ opcode: 1, payload, mask: key })));
  }
});

test('fin, rsv1 and opcode', () => {
  for (const [options, first] of [
    [{ fin: false, opcode: 1 }, 0x01],
    [{ fin: true, opcode: 0 }, 0x80],
    [{ fin: true, opcode: 1, rsv1: true }, 0xc1],
    [{ fin: false, opcode: 2, rsv1: true }, 0x42],
    [{ fin: true, opcode: 9 }, 0x89],
    [{ opcode: 2 }, 0x02]
  ]) {
    const [head] = frame(Buffer.from('x'), options);
    assert.deepStrictEqual(head, Buffer.from([first, 1]));
  }
});

test('lists are independent of each other', () => {
  const first = frame(Buffer.from('one'), PLAIN);
  const second = frame(Buffer.from('second'), { ...PLAIN, opcode: 1 });
  assert.deepStrictEqual(joined(first), buildFrame({ opcode: 2, payload: 'one' }));
  assert.deepStrictEqual(joined(second), buildFrame({ opcode: 1, payload: 'second' }));
});

test('a Uint8Array', () => {
  const data = new Uint8Array([1, 2, 3]);
  assert.strictEqual(frame(data, PLAIN)[1], data);
  const list = frame(data, { ...PLAIN, ...withKey, readOnly: true });
  assert.deepStrictEqual(joined(list), buildFrame({ opcode: 2, payload: data, mask: key }));
  assert.deepStrictEqual(data, new Uint8Array([1, 2, 3]));
});
