'use strict';

// extension.parse and extension.format: the Sec-WebSocket-Extensions field, RFC 6455 section 9.1.

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { test } = require('../support/helpers');

const { format, parse } = WebSocket.extension;

/** The parsed offers as plain objects. */
function parsed(header) {
  const offers = parse(header);
  return Object.fromEntries(
    Object.entries(offers).map(([name, list]) => [name, list.map((params) => ({ ...params }))])
  );
}

for (const [header, expected] of [
  ['foo', { foo: [{}] }],
  ['foo;bar', { foo: [{ bar: [true] }] }],
  ['foo; bar', { foo: [{ bar: [true] }] }],
  ['foo;bar=1', { foo: [{ bar: ['1'] }] }],
  ['foo;bar;baz=1;bar=2', { foo: [{ bar: [true, '2'], baz: ['1'] }] }],
  ['foo,bar', { foo: [{}], bar: [{}] }],
  ['foo, foo;a, foo;b', { foo: [{}, { a: [true] }, { b: [true] }] }],
  ['foo;a;b, bar;c=1, foo', { foo: [{ a: [true], b: [true] }, {}], bar: [{ c: ['1'] }] }],
  ['foo;a="1"', { foo: [{ a: ['1'] }] }],
  ['foo;a="token";b', { foo: [{ a: ['token'], b: [true] }] }],
  ['foo;a="q\\1\\x"', { foo: [{ a: ['q1x'] }] }],
  ['foo;a="\\1"', { foo: [{ a: ['1'] }] }],
  ["foo;!#$%&'*+-.^_`|~=A9z", { foo: [{ "!#$%&'*+-.^_`|~": ['A9z'] }] }],
  ['foo\t;\tbar\t,\tbaz', { foo: [{ bar: [true] }], baz: [{}] }],
  [
    'permessage-deflate; client_max_window_bits; server_max_window_bits=10',
    {
      'permessage-deflate': [{ client_max_window_bits: [true], server_max_window_bits: ['10'] }]
    }
  ]
]) {
  test(`parse: ${header}`, () => assert.deepStrictEqual(parsed(header), expected));
}

test('parse: names of Object.prototype are names like others', () => {
  for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString', 'valueOf']) {
    const offers = parse(`${name}; ${name}=1`);
    assert.deepStrictEqual(Object.keys(offers), [name]);
    assert.deepStrictEqual(Object.keys(offers[name][0]), [name]);
    assert.deepStrictEqual(offers[name][0][name], ['1']);
  }
  assert.strictEqual(Object.getPrototypeOf(parse('foo')), null);
  assert.strictEqual(Object.getPrototypeOf(parse('foo;a').foo[0]), null);
});

for (const [header, index] of [
  [' foo', 0],
  [',foo', 0],
  [';foo', 0],
  ['foo,,bar', 4],
  ['foo bar', 4],
  ['foo=1', 3],
  ['f\u00e9o', 1],
  ['foo"', 3],
  ['foo;;', 4],
  ['foo;,', 4],
  ['foo;=1', 4],
  ['foo;a b', 6],
  ['foo;a =1', 6],
  ['foo;a;/', 6],
  ['foo;a=,', 6],
  ['foo;a=;', 6],
  ['foo;a= 1', 6],
  ['foo;a=1 2', 8],
  ['foo;a=b=', 7],
  ['foo;a=/', 6],
  ['foo;a=x"', 7],
  ['foo;a=""', 7],
  ['foo;a="x y"', 8],
  ['foo;a="x,"', 8],
  ['foo;a="\\ "', 8],
  ['foo;a="\\""', 8],
  ['foo;a="x"y', 9],
  ['foo;a="x""', 9]
]) {
  test(`parse: an unexpected character: ${header}`, () => {
    assert.throws(() => parse(header), {
      name: 'SyntaxError',
      message: `Unexpected character at index ${index}`
    });
  });
}

for (const header of [
  '',
  'foo ',
  'foo\t',
  'foo,',
  'foo, ',
  'foo;',
  'foo; ',
  'foo;a ',
  'foo;a;',
  'foo;a=',
  'foo;a=1 ',
  'foo;a=1,',
  'foo;a="',
  'foo;a="1',
  'foo;a="1\\'
]) {
  test(`parse: an unexpected end: '${header}'`, () => {
    assert.throws(() => parse(header), {
      name: 'SyntaxError',
      message: 'Unexpected end of input'
    });
  });
}

for (const [extensions, expected] of [
  [{}, ''],
  [{ foo: {} }, 'foo'],
  [{ foo: [{}] }, 'foo'],
  [{ foo: { a: true } }, 'foo; a'],
  [{ foo: { a: [true, 1, 'x'] } }, 'foo; a; a=1; a=x'],
  [{ foo: { a: 10, b: '2' } }, 'foo; a=10; b=2'],
  [{ foo: [{ a: true }, { b: 1 }] }, 'foo; a, foo; b=1'],
  [{ foo: {}, bar: { c: [true] } }, 'foo, bar; c'],
  [{ foo: { a: false } }, 'foo; a=false']
]) {
  test(`format: ${expected || '(nothing)'}`, () => {
    assert.strictEqual(format(extensions), expected);
  });
}

test('format of what parse returns', () => {
  const header = 'foo; a; b=1, foo; c, bar; d=x; d=y';
  assert.strictEqual(format(parse(header)), header);
});
