'use strict';

/**
 * The limits and manners of a connection, for the native side; `options` is complete. `deflate` is
 * what `deflateOptions` returns.
 */
function connectionOptions(options, deflate) {
  return {
    maxPayload: options.maxPayload | 0,
    maxFrameSize: Number(options.maxFrameSize ?? 0) || 0,
    maxFragments: options.maxFragments | 0,
    skipUtf8Validation: Boolean(options.skipUTF8Validation),
    autoPong: options.autoPong ? (options.allowSynchronousEvents !== false ? 1 : 2) : 0,
    maxPendingAutoPongs: options.maxPendingAutoPongs | 0,
    closeTimeout: Number(options.closeTimeout) || 0,
    deflate
  };
}

module.exports = connectionOptions;
