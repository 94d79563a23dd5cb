'use strict';

const assert = require('node:assert');
const { createHash, randomBytes } = require('node:crypto');
const { HOST, connectRaw, createRawServer, urlOf } = require('./carriers');
const { within } = require('./helpers');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const OP = { CONT: 0x0, TEXT: 0x1, BINARY: 0x2, CLOSE: 0x8, PING: 0x9, PONG: 0xa };
const CRLF2 = Buffer.from('\r\n\r\n');

function applyMask(payload, key) {
  const out = Buffer.allocUnsafe(payload.length);
  for (let i = 0; i < payload.length; i++) out[i] = payload[i] ^ key[i & 3];
  return out;
}

/**
 * One frame, RFC 6455 section 5.2.
 * `mask`: true = a random key, a Buffer = that key, false = unmasked. `lengthBytes` (0, 2, 8) forces
 * the width of the extended length and `length` overrides the value that is declared.
 */
function buildFrame(options) {
  const { fin = true, rsv1, rsv2, rsv3, opcode, mask = false, length, lengthBytes } = options;
  const payload = Buffer.from(options.payload ?? []);
  const declared = BigInt(length ?? payload.length);
  const width = lengthBytes ?? (declared < 126n ? 0 : declared < 65536n ? 2 : 8);
  const head = Buffer.alloc(2 + width);
  head[0] =
    (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | (rsv2 ? 0x20 : 0) | (rsv3 ? 0x10 : 0) | (opcode & 0x0f);
  head[1] = (mask ? 0x80 : 0) | (width === 0 ? Number(declared) : width === 2 ? 126 : 127);
  if (width === 2) head.writeUInt16BE(Number(declared), 2);
  if (width === 8) head.writeBigUInt64BE(declared, 2);
  if (!mask) return Buffer.concat([head, payload]);
  const key = mask === true ? randomBytes(4) : mask;
  return Buffer.concat([head, key, applyMask(payload, key)]);
}

/** The complete frames at the start of `data`, and the bytes after them. */
function parseFrames(data) {
  const frames = [];
  let at = 0;
  for (;;) {
    if (data.length - at < 2) break;
    const [first, second] = [data[at], data[at + 1]];
    let start = at + 2;
    let length = second & 0x7f;
    if (length === 126) {
      if (data.length - start < 2) break;
      length = data.readUInt16BE(start);
      start += 2;
    } else if (length === 127) {
      if (data.length - start < 8) break;
      length = Number(data.readBigUInt64BE(start));
      start += 8;
    }
    const masked = (second & 0x80) !== 0;
    let key = null;
    if (masked) {
      if (data.length - start < 4) break;
      key = data.subarray(start, start + 4);
      start += 4;
    }
    if (data.length - start < length) break;
    const wire = data.subarray(start, start + length);
    frames.push({
      fin: (first & 0x80) !== 0,
      rsv1: (first & 0x40) !== 0,
      rsv2: (first & 0x20) !== 0,
      rsv3: (first & 0x10) !== 0,
      opcode: first & 0x0f,
      masked,
      key,
      headerBytes: start - at,
      payload: masked ? applyMask(wire, key) : Buffer.from(wire)
    });
    at = start + length;
  }
  return { frames, rest: data.subarray(at) };
}

/** The payload of a close frame. */
function closePayload(code, reason = '') {
  const text = Buffer.from(reason);
  const out = Buffer.alloc(2 + text.length);
  out.writeUInt16BE(code, 0);
  text.copy(out, 2);
  return out;
}

function acceptFor(key) {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/** A socket (net or TLS) read as a conversation: an HTTP head, then frames, then the end. */
class RawPeer {
  constructor(socket, { mask = false, tcp = socket } = {}) {
    this.socket = socket;
    this.tcp = tcp;
    this.mask = mask;
    this.chunks = [];
    this.received = 0;
    this.ended = false;
    this.closed = false;
    this.waiters = new Set();
    socket.setNoDelay(true);
    socket.on('data', (chunk) => {
      this.chunks.push(chunk);
      this.received += chunk.length;
      this.wake();
    });
    socket.on('end', () => {
      this.ended = true;
      this.wake();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.ended = this.closed = true;
      this.wake();
    });
  }

  /** What has arrived and has not been taken. Put together when it is looked at, not before. */
  get data() {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0] ?? Buffer.alloc(0);
  }

  set data(rest) {
    this.chunks = [rest];
  }

  wake() {
    for (const check of [...this.waiters]) check();
  }

  /** Resolves with the first value of `take()` that is not undefined. */
  read(take, what) {
    let check;
    const promise = new Promise((resolve, reject) => {
      check = () => {
        const value = take();
        if (value !== undefined) resolve(value);
        else if (this.ended) reject(new Error(`the peer ended while waiting for ${what}`));
      };
      this.waiters.add(check);
      check();
    });
    return within(promise, what).finally(() => this.waiters.delete(check));
  }

  /** The next HTTP head, without the blank line. */
  head() {
    return this.read(() => {
      const end = this.data.indexOf(CRLF2);
      if (end === -1) return undefined;
      const head = this.data.subarray(0, end).toString('latin1');
      this.data = this.data.subarray(end + 4);
      return head;
    }, 'an HTTP head');
  }

  /** The next frame, unmasked. */
  frame() {
    return this.read(() => {
      const { frames } = parseFrames(this.data);
      if (frames.length === 0) return undefined;
      const [frame] = frames;
      this.data = this.data.subarray(frame.headerBytes + frame.payload.length);
      return frame;
    }, 'a frame');
  }

  /** The code of the next frame, which must be a close frame; 1005 = empty. */
  async closeFrame() {
    const { opcode, payload } = await this.frame();
    assert.strictEqual(opcode, OP.CLOSE);
    return payload.length ? payload.readUInt16BE(0) : 1005;
  }

  /** All bytes up to the peer's FIN. */
  async rest() {
    await this.end();
    return this.data;
  }

  /** Waits for the peer's FIN (or reset). */
  async end() {
    await this.read(() => (this.ended ? true : undefined), 'the end');
  }

  write(bytes) {
    return this.socket.write(bytes);
  }

  /** Sends one frame, masked as this role demands. */
  send(opcode, payload, options) {
    return this.write(this.build(opcode, payload, options));
  }

  build(opcode, payload, options) {
    return buildFrame({ opcode, payload, mask: this.mask, ...options });
  }

  destroy() {
    this.socket.destroy();
  }

  /** Ends the connection by a RST. */
  reset() {
    this.tcp.resetAndDestroy();
  }
}

/** A connection without a handshake. */
async function rawConnect(t, port, options) {
  const { tcp, socket, ready } = connectRaw({ port, ...options });
  t.after(() => socket.destroy());
  const peer = new RawPeer(socket, { mask: true, tcp });
  await within(new Promise((resolve) => socket.once(ready, resolve)), ready);
  return peer;
}

const SAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** An upgrade request; a header set to null is left out. */
function upgradeRequest({ method = 'GET', path = '/', headers = {}, version = '1.1' } = {}) {
  const all = {
    Host: `${HOST}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': SAMPLE_KEY,
    'Sec-WebSocket-Version': '13',
    ...headers
  };
  const lines = [`${method} ${path} HTTP/${version}`];
  for (const [name, value] of Object.entries(all)) {
    if (value === null) continue;
    for (const one of Array.isArray(value) ? value : [value]) lines.push(`${name}: ${one}`);
  }
  return lines.join('\r\n') + '\r\n\r\n';
}

/** A raw client after a successful handshake; `peer.response` is the head of the 101. */
async function rawClient(t, port, request) {
  const peer = await rawConnect(t, port);
  peer.write(upgradeRequest(request));
  peer.response = await peer.head();
  assert.match(peer.response, /^HTTP\/1\.1 101 /);
  return peer;
}

/** The 101 for a request head. */
function upgradeResponse(head, extra = []) {
  const key = /^sec-websocket-key: *(.*)$/im.exec(head)[1];
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptFor(key)}`,
    ...extra,
    '',
    ''
  ].join('\r\n');
}

/** A server that calls `onPeer(peer, head)` after it has read a request head. */
async function rawServer(t, onPeer, listenOptions = { port: 0, host: HOST }) {
  const sockets = new Set();
  const server = createRawServer(async (socket, tcp) => {
    sockets.add(socket);
    const peer = new RawPeer(socket, { tcp });
    let head;
    try {
      head = await peer.head();
    } catch {
      socket.destroy();
      return;
    }
    onPeer(peer, head);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  await new Promise((resolve) => server.listen(listenOptions, resolve));
  if (!listenOptions.path) server.url = urlOf(server.address().port);
  return server;
}

/** A raw server that accepts every handshake; `next()` resolves with each peer in turn. */
async function rawAcceptor(t, extra) {
  const ready = [];
  const waiting = [];
  const server = await rawServer(t, (peer, head) => {
    peer.request = head;
    peer.write(upgradeResponse(head, extra));
    if (waiting.length) waiting.shift()(peer);
    else ready.push(peer);
  });
  server.next = () =>
    within(
      new Promise((resolve) => {
        if (ready.length) resolve(ready.shift());
        else waiting.push(resolve);
      }),
      'a raw peer'
    );
  return server;
}

module.exports = {
  OP,
  RawPeer,
  SAMPLE_KEY,
  acceptFor,
  applyMask,
  buildFrame,
  closePayload,
  parseFrames,
  rawAcceptor,
  rawClient,
  rawConnect,
  rawServer,
  upgradeRequest,
  upgradeResponse
};
