'use strict';

const { Buffer } = require('buffer');

const { FastBuffer } = require('./constants');

/** RFC 6455 section 7.4, as far as an endpoint may send them. */
function isValidStatusCode(code) {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999)
  );
}

function isBlob(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof value.arrayBuffer === 'function' &&
    typeof value.type === 'string' &&
    typeof value.stream === 'function' &&
    (value[Symbol.toStringTag] === 'Blob' || value[Symbol.toStringTag] === 'File')
  );
}

/**
 * The bytes of anything that `Buffer.from` takes, without a copy where there is memory already.
 *
 * @throws {TypeError} as `Buffer.from` does
 */
function toBuffer(data) {
  if (Buffer.isBuffer(data)) return data;
  if (data instanceof ArrayBuffer) return new FastBuffer(data);
  if (ArrayBuffer.isView(data)) {
    return new FastBuffer(data.buffer, data.byteOffset, data.byteLength);
  }
  return Buffer.from(data);
}

/** The characters of an RFC 9110 token, by char code. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

function isToken(text) {
  return TOKEN.test(text);
}

module.exports = { isBlob, isToken, isValidStatusCode, toBuffer };
