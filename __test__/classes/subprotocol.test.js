'use strict';

// subprotocol.parse: the Sec-WebSocket-Protocol field, RFC 6455 section 11.3.4.

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { test } = require('../support/helpers');

const { parse } = WebSocket.subprotocol;

for (const [header, expected] of [
  ['foo', ['foo']],
  ['foo,bar', ['foo', 'bar']],
  ['foo, bar', ['foo', 'bar']],
  ['foo ,bar', ['foo', 'bar']],
  ['foo\t,\t\tbar , baz', ['foo', 'bar', 'baz']],
  ['Foo,foo,FOO', ['Foo', 'foo', 'FOO']],
  ["!#$%&'*+-.^_`|~09azAZ", ["!#$%&'*+-.^_`|~09azAZ"]],
  ['c,b,a', ['c', 'b', 'a']]
]) {
  test(`parse: ${header}`, () => {
    const protocols = parse(header);
    assert.ok(protocols instanceof Set);
    assert.deepStrictEqual([...protocols], expected);
  });
}

for (const [header, index] of [
  [' foo', 0],
  ['\tfoo', 0],
  [',', 0],
  [',foo', 0],
  ['foo,,bar', 4],
  ['foo, ,bar', 5],
  ['foo bar', 4],
  ['foo\tbar', 4],
  ['foo/', 3],
  ['foo;', 3],
  ['"foo"', 0],
  ['foo,b=r', 5],
  ['f\u00f6o', 1],
  ['foo\0', 3],
  ['foo\u007f', 3]
]) {
  test(`parse: an unexpected character: ${JSON.stringify(header)}`, () => {
    assert.throws(() => parse(header), {
      name: 'SyntaxError',
      message: `Unexpected character at index ${index}`
    });
  });
}

for (const header of ['', 'foo ', 'foo\t', 'foo,', 'foo, ', 'foo,bar ']) {
  test(`parse: an unexpected end: '${header}'`, () => {
    assert.throws(() => parse(header), { name: 'SyntaxError', message: 'Unexpected end of input' });
  });
}

for (const [header, name] of [
  ['foo,foo', 'foo'],
  ['foo,bar,foo', 'foo'],
  ['foo,foo,bar', 'foo'],
  ['a , b , b', 'b']
]) {
  test(`parse: a duplicate: ${header}`, () => {
    assert.throws(() => parse(header), {
      name: 'SyntaxError',
      message: `The "${name}" subprotocol is duplicated`
    });
  });
}
