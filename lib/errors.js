'use strict';

const util = require('util');

/** The receive error of a connection, as ws has it: a `RangeError`, or an `Error` for bad UTF-8. */
function protocolError(parts) {
  const error = parts.range ? new RangeError(parts.message) : new Error(parts.message);
  error.code = parts.code;
  // of zlib's
  if (parts.errno !== undefined) error.errno = parts.errno;
  return error;
}

/**
 * A system error as Node words it.
 *
 * @param {string} syscall what failed: `connect`, `listen`, `read`
 * @param {{ errno?: number, code?: string, message?: string, address?: string, port?: number }}
 *   parts from the native side
 */
function systemError(syscall, parts) {
  if (parts.errno === undefined && parts.code === undefined) return new Error(parts.message);
  const errno = parts.errno === undefined ? undefined : -parts.errno;
  const code = parts.code ?? util.getSystemErrorName(errno);
  const where =
    parts.address === undefined
      ? ''
      : ` ${parts.address}${parts.port === undefined ? '' : `:${parts.port}`}`;
  const why =
    syscall === 'listen' && errno !== undefined
      ? `: ${util.getSystemErrorMap().get(errno)[1]}`
      : '';
  const error = new Error(`${syscall} ${code}${why}${where}`);
  if (errno !== undefined) error.errno = errno;
  error.code = code;
  error.syscall = syscall;
  if (parts.address !== undefined) error.address = parts.address;
  if (parts.port !== undefined) error.port = parts.port;
  return error;
}

/** Why none of the addresses could be connected to, from the parts of each failure. */
function connectError(failures) {
  const errors = failures.map((parts) => systemError('connect', parts));
  if (errors.length === 1) return errors[0];
  const error = new AggregateError(errors);
  error.code = errors[0].code;
  return error;
}

/** An error of the handshake, from its parts. */
function handshakeError(parts) {
  if (parts.errno !== undefined) return systemError('read', parts);
  const error = new Error(parts.message);
  if (parts.code !== undefined) error.code = parts.code;
  if (parts.code?.startsWith('HPE_')) error.reason = parts.message.replace('Parse Error: ', '');
  return error;
}

/** Why a callback of a send is called when its connection is gone. */
function destroyedError() {
  const error = new Error('Cannot call write after a stream was destroyed');
  error.code = 'ERR_STREAM_DESTROYED';
  return error;
}

module.exports = { connectError, destroyedError, handshakeError, protocolError, systemError };
