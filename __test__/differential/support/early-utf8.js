'use strict';

// The one intended difference: hawser reports invalid UTF-8 as soon as it has seen it, ws at the end
// of the message. This finds out where that is, with a reading of RFC 6455 of its own.

/** UTF-8 that arrives in pieces, as the Encoding Standard decodes it. */
class Utf8 {
  #needed = 0;
  #lower = 0x80;
  #upper = 0xbf;

  /** Whether `bytes` may follow what came before. */
  accepts(bytes) {
    for (const byte of bytes) if (!this.#acceptsByte(byte)) return false;
    return true;
  }

  #acceptsByte(byte) {
    if (this.#needed > 0) {
      if (byte < this.#lower || byte > this.#upper) return false;
      this.#lower = 0x80;
      this.#upper = 0xbf;
      this.#needed--;
      return true;
    }
    if (byte < 0x80) return true;
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.#needed = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte === 0xe0) this.#lower = 0xa0;
    if (byte === 0xf0) this.#lower = 0x90;
    if (byte === 0xed) this.#upper = 0x9f;
    if (byte === 0xf4) this.#upper = 0x8f;
    return true;
  }
}

const isControl = (opcode) => opcode >= 8;

/** The header at `at`: null if it is not there as a whole or breaks a rule, so that all ends here. */
function headerAt(bytes, at, isServer, isFragmented) {
  if (bytes.length - at < 2) return null;
  const [first, second] = [bytes[at], bytes[at + 1]];
  const fin = (first & 0x80) !== 0;
  const opcode = first & 0x0f;
  const isMasked = (second & 0x80) !== 0;
  let length = second & 0x7f;
  if ((first & 0x70) !== 0 || isMasked !== isServer) return null;
  if (isControl(opcode)) {
    if (opcode > 10 || !fin || length > 125 || (opcode === 8 && length === 1)) return null;
  } else if (opcode > 2 || (opcode === 0) !== isFragmented) {
    return null;
  }
  at += 2;
  const width = length === 126 ? 2 : length === 127 ? 8 : 0;
  if (bytes.length - at < width + (isMasked ? 4 : 0)) return null;
  if (width === 2) length = bytes.readUInt16BE(at);
  if (width === 8) length = Number(bytes.readBigUInt64BE(at));
  at += width;
  const key = isMasked ? bytes.subarray(at, at + 4) : null;
  return { fin, opcode, length, key, start: at + (isMasked ? 4 : 0) };
}

function payloadOf(bytes, { start, length, key }) {
  const payload = Buffer.from(bytes.subarray(start, start + length));
  if (key) for (let i = 0; i < payload.length; i++) payload[i] ^= key[i & 3];
  return payload;
}

/**
 * How many events precede the place where a text is known to be invalid and its message is not yet
 * complete; -1 if there is no such place before the stream ends or breaks another rule.
 */
function eventsBeforeEarlyUtf8(bytes, options) {
  const { isServer, maxFragments, maxPayload, skipUTF8Validation } = options;
  if (skipUTF8Validation) return -1;
  let events = 0;
  let message = null;
  for (let at = 0; ;) {
    const header = headerAt(bytes, at, isServer, message !== null);
    if (header === null || header.opcode === 8) return -1;
    const { fin, opcode, length, start } = header;
    const isComplete = bytes.length - start >= length;
    at = start + length;
    if (isControl(opcode)) {
      if (!isComplete) return -1;
      events++;
      continue;
    }
    message ??= { isText: opcode === 1, utf8: new Utf8(), fragments: 0, length: 0 };
    message.length += length;
    message.fragments++;
    if (message.length > maxPayload) return -1;
    if (maxFragments > 0 && message.fragments > maxFragments) return -1;
    if (message.isText && !message.utf8.accepts(payloadOf(bytes, header))) {
      return isComplete && fin ? -1 : events;
    }
    if (!isComplete) return -1;
    if (fin) {
      events++;
      message = null;
    }
  }
}

const INVALID_UTF8 = {
  name: 'error',
  type: 'Error',
  code: 'WS_ERR_INVALID_UTF8',
  message: 'Invalid WebSocket frame: invalid UTF-8 sequence',
  status: 1007,
  isOfWrite: true
};

/** The trace of ws, as it is of who reports invalid UTF-8 early. */
function withEarlyUtf8(trace, { bytes, options }) {
  const events = eventsBeforeEarlyUtf8(bytes, options);
  return events === -1 ? trace : [...trace.slice(0, events), INVALID_UTF8];
}

module.exports = { eventsBeforeEarlyUtf8, withEarlyUtf8 };
