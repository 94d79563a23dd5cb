'use strict';

/** zlib's default, said aloud: a server whose default is another would be compared unfairly. */
const LEVEL = 6;

/**
 * How a server compresses: `perMessageDeflate` is the option of ws and hawser, `bun` that of
 * `Bun.serve`, which has no level; undefined if there is no counterpart.
 */
module.exports = {
  off: { perMessageDeflate: false, bun: false },

  /** Without a word about it. */
  default: { perMessageDeflate: true, bun: true },

  takeover: {
    perMessageDeflate: { zlibDeflateOptions: { level: LEVEL } },
    bun: { compress: 'dedicated', decompress: 'dedicated' }
  },

  'no-takeover': {
    perMessageDeflate: {
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      zlibDeflateOptions: { level: LEVEL }
    },
    bun: { compress: 'shared', decompress: 'shared' }
  },

  /** Contexts that are lent for one message: an option of hawser's own. */
  shared: { perMessageDeflate: { mode: 'shared' } }
};
