'use strict';

// permessage-deflate (RFC 7692) as a raw peer speaks it, by means of Node's zlib.

const zlib = require('node:zlib');
const { dial, once, serve } = require('./helpers');
const { rawAcceptor, rawClient } = require('./raw-peer');

const NAME = 'permessage-deflate';
const TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);
const SYNC = { finishFlush: zlib.constants.Z_SYNC_FLUSH };
const WINDOW = 32768;

// ---- payloads ----

/** RFC 7692 section 7.2.1: `data` as the payload of a message that knows of none before it. */
function deflated(data, options) {
  return zlib.deflateRawSync(data, { ...SYNC, ...options }).subarray(0, -TAIL.length);
}

/** Section 7.2.2: the data of such a payload. */
function inflated(payload, options) {
  return zlib.inflateRawSync(Buffer.concat([payload, TAIL]), { ...SYNC, ...options });
}

/** One direction of a connection with context takeover: each message knows those before it. */
class Takeover {
  #history = Buffer.alloc(0);

  deflate(data) {
    const payload = deflated(data, this.#dictionary());
    this.#remember(Buffer.from(data));
    return payload;
  }

  inflate(payload) {
    const data = inflated(payload, this.#dictionary());
    this.#remember(data);
    return data;
  }

  #dictionary() {
    return this.#history.length > 0 ? { dictionary: this.#history } : {};
  }

  #remember(data) {
    this.#history = Buffer.concat([this.#history, data]).subarray(-WINDOW);
  }
}

/**
 * A deflater with `options` of zlib, say a window, whose every piece knows those before it:
 * resolves with a piece that ends with the tail, which the last fragment of a message leaves out.
 */
function deflater(t, options) {
  const stream = zlib.createDeflateRaw(options);
  t.after(() => stream.close());
  let chunks = [];
  stream.on('data', (chunk) => chunks.push(chunk));
  return async (data) => {
    chunks = [];
    stream.write(data);
    await new Promise((resolve) => stream.flush(zlib.constants.Z_SYNC_FLUSH, resolve));
    return Buffer.concat(chunks);
  };
}

/** `size` bytes of text that compress well, and are not the same all over. */
function prose(size) {
  const lines = [];
  for (let length = 0, i = 0; length < size; i++) {
    const line = `line ${i}: the square of it is ${i * i}, and more of the same. `;
    lines.push(line);
    length += line.length;
  }
  return lines.join('').slice(0, size);
}

// ---- handshakes ----

/** A request with this offer. */
function offering(offer) {
  return { headers: { 'Sec-WebSocket-Extensions': offer } };
}

/** The Sec-WebSocket-Extensions of an HTTP head, or undefined. */
function extensionsOf(head) {
  return /^sec-websocket-extensions: *(.*)$/im.exec(head)?.[1];
}

/**
 * A WebSocket in the role of a server or a client, and the raw peer that has agreed with it on
 * permessage-deflate: `params` are what the peer offers or answers.
 */
async function deflateWire(t, role, { params, perMessageDeflate = true, ...options } = {}) {
  const value = params ? `${NAME}; ${params}` : NAME;
  if (role === 'server') {
    const wss = await serve(t, { perMessageDeflate, ...options });
    const connection = once(wss, 'connection');
    const raw = await rawClient(t, wss.testPort, offering(value));
    const [ws] = await connection;
    return { wss, ws, raw };
  }
  const server = await rawAcceptor(t, [`Sec-WebSocket-Extensions: ${value}`]);
  const ws = dial(t, server.url, { perMessageDeflate, ...options });
  const [raw] = await Promise.all([server.next(), once(ws, 'open')]);
  return { ws, raw };
}

/** The bytes of a compressed message in one frame, for the peer of `raw`. */
function compressedFrame(raw, opcode, data, options) {
  return raw.build(opcode, deflated(data), { rsv1: true, ...options });
}

module.exports = {
  NAME,
  TAIL,
  Takeover,
  compressedFrame,
  deflateWire,
  deflated,
  deflater,
  extensionsOf,
  inflated,
  offering,
  prose
};
