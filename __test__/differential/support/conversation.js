'use strict';

// Valid conversations, as lists of frames for buildFrame().

const { OP } = require('../../support/raw-peer');

const CLOSE_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1011, 1014, 3000, 4999];

/** Code points of each length in UTF-8, the first and the last of their ranges among them. */
const CHARACTERS = [
  ...['a', 'z', ' ', '\0', '\u007f'],
  ...['\u0080', '\u00fc', '\u07ff'],
  ...['\u0800', '\u20ac', '\ud7ff', '\ue000', '\uffff'],
  ...['\u{10000}', '\u{1f600}', '\u{10ffff}']
];

/** About `length` bytes of UTF-8. */
function utf8(random, length) {
  let text = '';
  const isAscii = random.chance(30);
  for (let left = length; left > 0; left -= 2) {
    text += isAscii ? 'ab' : random.pick(CHARACTERS);
  }
  return Buffer.from(text);
}

/** Mostly small, sometimes around the borders of the lengths of headers, seldom large. */
function payloadLength(random) {
  const kind = random.below(1000);
  if (kind < 120) return 0;
  if (kind < 800) return random.between(1, 30);
  if (kind < 950) return random.between(110, 140);
  if (kind < 990) return random.between(200, 1500);
  if (kind < 998) return random.between(4000, 20000);
  return random.between(65500, 65600);
}

/** The masking key of a frame for a server; sometimes it changes nothing. */
function maskOf(random, isServer) {
  if (!isServer) return false;
  return random.chance(10) ? Buffer.alloc(4) : random.bytes(4);
}

function controlFrame(random, isServer) {
  const length = random.chance(10) ? 125 : random.below(20);
  return {
    opcode: random.pick([OP.PING, OP.PONG]),
    payload: random.bytes(length),
    mask: maskOf(random, isServer)
  };
}

function closeFrame(random, isServer) {
  let payload = Buffer.alloc(0);
  if (random.chance(80)) {
    const reason = utf8(random, random.below(60)).subarray(0, 123);
    payload = Buffer.concat([Buffer.alloc(2), reason.length < 123 ? reason : Buffer.alloc(0)]);
    payload.writeUInt16BE(random.pick(CLOSE_CODES));
  }
  return { opcode: OP.CLOSE, payload, mask: maskOf(random, isServer) };
}

/** The frames of one message, with control frames among them. */
function messageFrames(random, isServer) {
  const isText = random.chance(60);
  const length = payloadLength(random);
  const payload = isText ? utf8(random, length) : random.bytes(length);
  const count = random.chance(55) ? 1 : random.between(2, 5);
  const cuts = Array.from({ length: count - 1 }, () => random.below(payload.length + 1));
  cuts.sort((a, b) => a - b);
  const frames = [];
  for (let i = 0; i < count; i++) {
    frames.push({
      opcode: i > 0 ? OP.CONT : isText ? OP.TEXT : OP.BINARY,
      fin: i === count - 1,
      payload: payload.subarray(cuts[i - 1] ?? 0, cuts[i] ?? payload.length),
      mask: maskOf(random, isServer),
      lengthBytes: random.chance(3) ? 8 : undefined
    });
    if (i < count - 1 && random.chance(25)) frames.push(controlFrame(random, isServer));
  }
  return frames;
}

/** A conversation that breaks no rule. */
function conversation(random, isServer) {
  const frames = [];
  for (let i = random.between(1, 5); i > 0; i--) {
    if (random.chance(20)) frames.push(controlFrame(random, isServer));
    else frames.push(...messageFrames(random, isServer));
  }
  if (random.chance(35)) frames.push(closeFrame(random, isServer));
  return frames;
}

module.exports = { conversation };
