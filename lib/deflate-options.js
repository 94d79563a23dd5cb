'use strict';

const { notSupported } = require('./unsupported');

/** zlib's default level, and Node's default `memLevel`. */
const LEVEL = -1;
const MEM_LEVEL = 8;
const THRESHOLD = 1024;

/**
 * What a `mode` stands for: contexts of the connection's own, or those that a thread lends for one
 * message, with our compressor's window in bits.
 */
const MODES = {
  dedicated: { isShared: false },
  shared: { isShared: true },
  shared4kb: { isShared: true, bits: 12 },
  shared8kb: { isShared: true, bits: 13 },
  shared16kb: { isShared: true, bits: 14 }
};

/**
 * The `perMessageDeflate` option for the native side: checked, with its defaults; undefined if it is
 * off.
 *
 * @param {boolean|object|undefined} option
 * @param {boolean} isServer
 * @throws {TypeError|RangeError} for a value that is none; ERR_HAWSER_NOT_SUPPORTED for a dictionary
 */
function deflateOptions(option, isServer) {
  if (!option) return undefined;
  const zlibDeflateOptions = option.zlibDeflateOptions ?? {};
  const zlibInflateOptions = option.zlibInflateOptions ?? {};
  if (zlibDeflateOptions.dictionary || zlibInflateOptions.dictionary) {
    throw notSupported('A dictionary for permessage-deflate, which its peers could not know,');
  }
  const mode = modeOf(option.mode);
  return {
    serverNoContextTakeover: mode.isShared || boolean(option.serverNoContextTakeover),
    clientNoContextTakeover: mode.isShared || boolean(option.clientNoContextTakeover),
    serverMaxWindowBits: windowBits('serverMaxWindowBits', option.serverMaxWindowBits),
    clientMaxWindowBits: clientMaxWindowBits(option, mode, isServer),
    ownWindowBits: isServer ? mode.bits : undefined,
    threshold: number('threshold', option.threshold) ?? THRESHOLD,
    level: integer('zlibDeflateOptions.level', zlibDeflateOptions.level, -1, 9) ?? LEVEL,
    memLevel:
      integer('zlibDeflateOptions.memLevel', zlibDeflateOptions.memLevel, 1, 9) ?? MEM_LEVEL,
    strategy: integer('zlibDeflateOptions.strategy', zlibDeflateOptions.strategy, 0, 4) ?? 0,
    contextBudget: number('contextBudget', option.contextBudget)
  };
}

function modeOf(mode = 'dedicated') {
  if (Object.hasOwn(MODES, mode)) return MODES[mode];
  throw new TypeError(
    `perMessageDeflate.mode must be one of "${Object.keys(MODES).join('", "')}". Received ${String(mode)}`
  );
}

function boolean(value) {
  return value === undefined || value === null ? undefined : Boolean(value);
}

/** A client can say that it uses a smaller window only by the offer itself. */
function clientMaxWindowBits(option, mode, isServer) {
  const bits = windowBits('clientMaxWindowBits', option.clientMaxWindowBits);
  if (isServer || mode.bits === undefined) return bits;
  return typeof bits === 'number' ? Math.min(bits, mode.bits) : mode.bits;
}

/** 8 to 15, or a boolean. */
function windowBits(name, value) {
  if (value === undefined || value === null || typeof value === 'boolean')
    return value ?? undefined;
  return integer(name, value, 8, 15);
}

function integer(name, value, least, most) {
  if (value === undefined || value === null) return undefined;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(
    `perMessageDeflate.${name} must be an integer between ${least} and ${most}. Received ${String(value)}`
  );
}

/** 0 or more. */
function number(name, value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value >= 0) return value;
  throw new RangeError(
    `perMessageDeflate.${name} must be a number of bytes, 0 or more. Received ${String(value)}`
  );
}

module.exports = deflateOptions;
