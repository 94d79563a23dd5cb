'use strict';

// What goes wrong: with a frame before it is built, and with the bytes afterwards.

const { OP } = require('../../support/raw-peer');

const BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535];
const LENGTHS = [
  0n,
  125n,
  126n,
  65535n,
  65536n,
  2n ** 31n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 64n - 1n
];

/** No UTF-8: overlong, surrogates, beyond U+10FFFF, no start, no end, never allowed. */
const BAD_UTF8 = [
  'c080',
  'c1bf',
  'e08080',
  'e09fbf',
  'eda080',
  'edbfbf',
  'f0808080',
  'f08fbfbf',
  'f4908080',
  'f5808080',
  'f88888888080',
  '80',
  'bf',
  'c2',
  'e2',
  'e282',
  'f0',
  'f09f',
  'f09f98',
  'c241',
  'e28241',
  'f09f9841',
  'fe',
  'ff'
].map((hex) => Buffer.from(hex, 'hex'));

/** Changes of one frame of a list. */
const FRAME_MUTATIONS = [
  (frame, random) => (frame.opcode = random.below(16)),
  (frame, random) => (frame[random.pick(['rsv1', 'rsv2', 'rsv3'])] = true),
  (frame) => (frame.fin = frame.fin === false),
  (frame, random) => (frame.mask = frame.mask ? false : random.bytes(4)),
  (frame, random) => {
    frame.length = random.pick(LENGTHS);
    frame.lengthBytes = frame.length > 65535n ? 8 : random.pick([2, 8]);
  },
  (frame, random) => {
    const change = random.between(-3, 3);
    frame.length = BigInt(Math.max(0, frame.payload.length + change));
  },
  (frame, random) => {
    const at = random.below(frame.payload.length + 1);
    const [head, tail] = [frame.payload.subarray(0, at), frame.payload.subarray(at)];
    frame.payload = Buffer.concat([head, random.pick(BAD_UTF8), tail]);
  },
  (frame, random) => {
    frame.payload = frame.payload.subarray(0, random.below(frame.payload.length + 1));
  },
  (frame, random) => {
    frame.opcode = OP.CLOSE;
    frame.payload = Buffer.concat([Buffer.alloc(2), frame.payload.subarray(0, 50)]);
    frame.payload.writeUInt16BE(random.pick(BAD_CODES));
  },
  (frame, random) => {
    frame.opcode = random.pick([OP.CLOSE, OP.PING, OP.PONG]);
    frame.payload = random.bytes(random.pick([1, 125, 126, 127, 200]));
  },
  (frame) => (frame.lengthBytes = frame.payload.length > 65535 ? 8 : 2)
];

/** Changes of a list of frames. */
const LIST_MUTATIONS = [
  (frames, random) => frames.splice(random.below(frames.length), 1),
  (frames, random) => {
    const at = random.below(frames.length);
    frames.splice(at, 0, { ...frames[at] });
  },
  (frames, random) => {
    const [one, other] = [random.below(frames.length), random.below(frames.length)];
    [frames[one], frames[other]] = [frames[other], frames[one]];
  },
  (frames, random) => {
    const at = random.below(frames.length);
    const many = Array.from({ length: random.between(1, 12) }, () => ({
      opcode: OP.CONT,
      fin: false,
      payload: random.bytes(random.below(3)),
      mask: frames[at].mask
    }));
    frames.splice(at + 1, 0, ...many);
  }
];

/** Changes of bytes; they return what the bytes have become. */
const BYTE_MUTATIONS = [
  (bytes, random) => {
    bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    return bytes;
  },
  (bytes, random) => {
    // the first bytes decide the most
    bytes[random.below(Math.min(bytes.length, 4))] ^= 1 << random.below(8);
    return bytes;
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => bytes.subarray(random.below(Math.min(bytes.length, 20))),
  (bytes, random) => {
    const from = random.below(bytes.length);
    const to = Math.min(bytes.length, from + random.below(30));
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
  (bytes, random) => {
    const from = random.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + random.below(10))]);
  },
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    return Buffer.concat([
      bytes.subarray(0, at),
      random.bytes(random.between(1, 8)),
      bytes.subarray(at)
    ]);
  }
];

/** Changes some frames, or the list of them. */
function mutateFrames(random, frames) {
  for (let i = random.between(1, 3); i > 0 && frames.length > 0; i--) {
    if (random.chance(25)) {
      random.pick(LIST_MUTATIONS)(frames, random);
    } else {
      const at = random.below(frames.length);
      frames[at] = { ...frames[at] };
      random.pick(FRAME_MUTATIONS)(frames[at], random);
    }
  }
}

function mutateBytes(random, bytes) {
  for (let i = random.between(1, 3); i > 0 && bytes.length > 0; i--) {
    bytes = random.pick(BYTE_MUTATIONS)(bytes, random);
  }
  return bytes;
}

module.exports = { mutateBytes, mutateFrames };
