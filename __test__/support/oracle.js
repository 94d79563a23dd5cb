'use strict';

// A reference reading of RFC 6455 with the codes of the contract, for a server that echoes every
// message. It is written for clarity: the whole input is there at once.

const { OP, applyMask, buildFrame, closePayload } = require('./raw-peer');

const isValidCloseCode = (code) =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
  (code >= 3000 && code <= 4999);

/** Whether `bytes` can not be (the start of) UTF-8. */
function isBadUtf8(bytes, complete) {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !complete });
    return false;
  } catch {
    return true;
  }
}

/**
 * What the server may write in answer to `input`: a list of alternatives in hex, the first of which
 * is that of ws. There is a second one when text is already known to be bad before its last byte:
 * an implementation may fail there (RFC 6455 section 8.1) or at the end of the message.
 */
function expectedOutput(input, { maxPayload, maxFragments }) {
  const alternatives = [];
  const out = [];
  const write = (opcode, payload) => out.push(buildFrame({ opcode, payload }));
  const result = () => Buffer.concat(out).toString('hex');
  const fail = (code) => {
    write(OP.CLOSE, closePayload(code));
    return [result(), ...alternatives];
  };
  const failedEarly = () => {
    const frame = buildFrame({ opcode: OP.CLOSE, payload: closePayload(1007) });
    alternatives.push(Buffer.concat([...out, frame]).toString('hex'));
  };

  let at = 0;
  let fragmented = 0;
  let parts = [];
  let count = 0;
  let total = 0;
  let knownBad = false;
  const checkEarly = (opcode, partial) => {
    if (opcode !== OP.TEXT || knownBad) return;
    if (isBadUtf8(Buffer.concat([...parts, partial]), false)) {
      knownBad = true;
      failedEarly();
    }
  };

  for (;;) {
    if (input.length - at < 2) return [result(), ...alternatives];
    const fin = (input[at] & 0x80) !== 0;
    const rsv = input[at] & 0x70;
    let opcode = input[at] & 0x0f;
    const isMasked = (input[at + 1] & 0x80) !== 0;
    let length = input[at + 1] & 0x7f;
    at += 2;
    if (rsv !== 0) return fail(1002);
    if (opcode === OP.CONT) {
      if (!fragmented) return fail(1002);
      opcode = fragmented;
    } else if (opcode === OP.TEXT || opcode === OP.BINARY) {
      if (fragmented) return fail(1002);
    } else if (opcode >= 8 && opcode <= 10) {
      if (!fin || length > 125 || (opcode === OP.CLOSE && length === 1)) return fail(1002);
    } else {
      return fail(1002);
    }
    if (!isMasked) return fail(1002);
    const isControl = opcode >= 8;
    if (!isControl && !fin && !fragmented) fragmented = opcode;
    if (length === 126) {
      if (input.length - at < 2) return [result(), ...alternatives];
      length = input.readUInt16BE(at);
      at += 2;
    } else if (length === 127) {
      if (input.length - at < 8) return [result(), ...alternatives];
      length = Number(input.readBigUInt64BE(at));
      at += 8;
    }
    if (!isControl) {
      total += length;
      if (total > maxPayload) return fail(1009);
    }
    if (input.length - at < 4) return [result(), ...alternatives];
    const key = input.subarray(at, at + 4);
    at += 4;
    const payload = applyMask(input.subarray(at, at + length), key);
    if (payload.length < length) {
      if (!isControl) checkEarly(opcode, payload);
      return [result(), ...alternatives];
    }
    at += length;

    if (opcode === OP.PING) {
      write(OP.PONG, payload);
    } else if (opcode === OP.CLOSE) {
      if (length > 0) {
        if (!isValidCloseCode(payload.readUInt16BE(0))) return fail(1002);
        if (isBadUtf8(payload.subarray(2), true)) return fail(1007);
      }
      write(OP.CLOSE, payload);
      return [result(), ...alternatives];
    } else if (!isControl) {
      if (++count > maxFragments) return fail(1008);
      if (!fin) {
        checkEarly(opcode, payload);
        parts.push(payload);
        continue;
      }
      const message = Buffer.concat([...parts, payload]);
      if (opcode === OP.TEXT && isBadUtf8(message, true)) return fail(1007);
      write(opcode, message);
      fragmented = 0;
      parts = [];
      count = total = 0;
      knownBad = false;
    }
  }
}

module.exports = { expectedOutput };
