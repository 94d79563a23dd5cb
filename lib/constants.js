'use strict';

const { Buffer } = require('buffer');

module.exports = {
  BINARY_TYPES: ['nodebuffer', 'arraybuffer', 'fragments', 'blob'],
  CLOSE_TIMEOUT: 30000,
  DEFAULT_MAX_PAYLOAD: 100 * 1024 * 1024,
  EMPTY_BUFFER: Buffer.alloc(0),
  /** The class that `Buffer.from` and friends make: the cheapest way to a view on known memory. */
  FastBuffer: Buffer[Symbol.species],
  /** RFC 7692 section 7. */
  EXTENSION_NAME: 'permessage-deflate',
  /** RFC 6455 section 1.3: what a key is joined to before it is hashed. */
  GUID: '258EAFA5-E914-47DA-95CA-C5AB0DC85B11',
  /** On a Receiver's error: the status code of the close frame that answers it. */
  kStatusCode: Symbol('status-code'),
  /** On a socket that a WebSocket has: the WebSocket. */
  kWebSocket: Symbol('websocket'),
  /** Bits of a send, as in src/driver/command.rs. */
  SEND: { BINARY: 1, FIN: 2, ACK: 4, MASK: 8, KEY: 16, AUTO: 32, COMPRESS: 64 },
  /** What a listener asks JavaScript about, as in src/driver/listener.rs. */
  HOOKS: { UPGRADE: 1, CLIENT_ERROR: 2, REQUEST: 4, TLS_ERROR: 8 },
  /** Kinds of event records, as in src/driver/batch.rs. */
  EVENT: {
    PIECE: 0,
    TEXT: 1,
    BINARY: 2,
    LARGE_TEXT: 3,
    LARGE_BINARY: 4,
    PING: 5,
    PONG: 6,
    CLOSE: 7,
    WRITTEN: 8,
    CLOSED: 9,
    NOTICE: 10,
    RELEASED: 11,
    END: 12,
    OUTPUT: 13,
    OUTPUT_END: 14,
    CONSUMED: 15,
    FRAGMENTS: 16
  }
};
