'use strict';

const { buildFrame } = require('../../support/raw-peer');
const { conversation } = require('./conversation');
const { mutateBytes, mutateFrames } = require('./mutations');
const { Random } = require('./random');

// 0, no limit, is 4 GiB - 1 in hawser: the largest number that ws knows stands for it here.
const MAX_PAYLOAD = [2 ** 31 - 1, 2 ** 31 - 1, 100000, 1000, 130, 20, 1];
const MAX_FRAGMENTS = [0, 0, 16384, 10, 4, 3, 2, 1];

function optionsOf(random) {
  return {
    isServer: random.chance(50),
    maxPayload: random.chance(60) ? MAX_PAYLOAD[0] : random.pick(MAX_PAYLOAD),
    maxFragments: random.chance(60) ? 0 : random.pick(MAX_FRAGMENTS),
    skipUTF8Validation: random.chance(8),
    binaryType: random.pick(['nodebuffer', 'nodebuffer', 'arraybuffer', 'fragments']),
    allowSynchronousEvents: !random.chance(4)
  };
}

/** A frame as bytes. Two mutations of one frame may have given it a length that does not fit. */
function build(frame) {
  const { length = frame.payload.length, lengthBytes } = frame;
  const isLarge = lengthBytes === 2 ? length > 65535 : lengthBytes === 0 && length > 125;
  return buildFrame({ ...frame, lengthBytes: isLarge ? 8 : lengthBytes });
}

function bytesOf(random, isServer) {
  if (random.chance(2)) return random.bytes(random.below(200));
  const frames = conversation(random, isServer);
  if (random.chance(60)) mutateFrames(random, frames);
  const bytes = Buffer.concat(frames.map(build));
  return random.chance(40) ? mutateBytes(random, bytes) : bytes;
}

/** Where to cut `length` bytes in pieces. */
function cutsOf(random, length) {
  const cuts = [];
  const kind = random.below(10);
  if (kind < 3) return cuts;
  const most = kind < 5 && length < 300 ? 1 : random.pick([3, 20, 200, 20000]);
  for (let at = 0; ;) {
    at += random.between(1, most);
    if (at >= length) return cuts;
    cuts.push(at);
    if (cuts.length > 400) return cuts;
  }
}

/**
 * The stream of bytes that `seed` stands for: `bytes`, `cuts` between its pieces, the `options` of
 * the Receiver, and whether each write `waits` for the callback of the one before.
 */
function streamOf(seed) {
  const random = new Random(seed);
  const options = optionsOf(random);
  const bytes = bytesOf(random, options.isServer);
  const cuts = cutsOf(random, bytes.length);
  // ws throws when chunks wait behind an event that is put off, and then one of them is an error
  const waits = !options.allowSynchronousEvents || random.chance(50);
  return { seed, options, bytes, cuts, waits };
}

module.exports = { streamOf };
