'use strict';

// The Receivers of npm ws and of hawser get the same random and mutated bytes in the same pieces, and
// have to say the same.
//
//   HAWSER_DIFFERENTIAL=1000000      as many streams instead of 100,000
//   HAWSER_DIFFERENTIAL_SEED=7       other streams
//   HAWSER_DIFFERENTIAL_STREAM=123   only the one that a failure names

const assert = require('node:assert');
const { Receiver: Expected } = require('ws');
const { Receiver: Actual } = require('../support/impl');
const { test } = require('../support/helpers');
const { drive } = require('./support/drive');
const { withEarlyUtf8 } = require('./support/early-utf8');
const { Random } = require('./support/random');
const { streamOf } = require('./support/streams');

const COUNT = Number(process.env.HAWSER_DIFFERENTIAL ?? 100000);
const SEED = Number(process.env.HAWSER_DIFFERENTIAL_SEED ?? 6455);
const CHUNK = 5000;

/** How often each outcome has come up with ws: the streams have to reach all of them. */
const outcomes = new Map();
let early = 0;

function isSameEvent(one, other) {
  const { parts: a = [], ...rest } = one;
  const { parts: b = [], ...others } = other;
  if (a.length !== b.length || !a.every((part, i) => part.equals(b[i]))) return false;
  const keys = Object.keys(rest);
  return (
    keys.length === Object.keys(others).length && keys.every((key) => rest[key] === others[key])
  );
}

function isSame(one, other) {
  return one.length === other.length && one.every((event, i) => isSameEvent(event, other[i]));
}

/** A trace as lines to be read. */
function lines(trace) {
  return trace.map(({ name, parts, ...rest }) => {
    const words = Object.entries(rest).map(([key, value]) => `${key}=${value}`);
    const data = parts?.map((part) => `<${part.toString('hex')}>`) ?? [];
    return [name, ...words, ...data].join(' ');
  });
}

function report(stream, expected, actual) {
  return [
    `stream ${stream.seed}: HAWSER_DIFFERENTIAL_STREAM=${stream.seed} runs it alone`,
    `options ${JSON.stringify(stream.options)}, waits: ${stream.waits}`,
    `cuts ${JSON.stringify(stream.cuts)}`,
    `bytes ${stream.bytes.toString('hex')}`,
    'ws:',
    ...lines(expected),
    'actual:',
    ...lines(actual)
  ].join('\n');
}

async function compare(seed) {
  const stream = streamOf(seed);
  const expected = await drive(Expected, stream);
  const actual = await drive(Actual, stream);
  for (const { name, code } of expected) {
    const outcome = name === 'error' ? code : name;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  if (isSame(expected, actual)) return;
  if (isSame(withEarlyUtf8(expected, stream), actual)) {
    early++;
    return;
  }
  assert.fail(report(stream, expected, actual));
}

if (process.env.HAWSER_DIFFERENTIAL_STREAM !== undefined) {
  test('one stream', () => compare(Number(process.env.HAWSER_DIFFERENTIAL_STREAM)));
} else {
  const seeds = new Random(SEED);
  for (let from = 0; from < COUNT; from += CHUNK) {
    const to = Math.min(COUNT, from + CHUNK);
    const list = Uint32Array.from({ length: to - from }, () => seeds.next());
    test(`streams ${from} to ${to - 1} of seed ${SEED}`, async () => {
      for (const seed of list) await compare(seed);
    });
  }

  test('the streams reach every outcome', { skip: COUNT < 100000 }, (t) => {
    t.diagnostic(`seed ${SEED}; ${early} times invalid UTF-8 was reported early`);
    t.diagnostic(JSON.stringify(Object.fromEntries(outcomes)));
    for (const outcome of [
      'text',
      'binary',
      'ping',
      'pong',
      'conclude',
      'finish',
      'WS_ERR_EXPECTED_FIN',
      'WS_ERR_EXPECTED_MASK',
      'WS_ERR_INVALID_CLOSE_CODE',
      'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
      'WS_ERR_INVALID_OPCODE',
      'WS_ERR_INVALID_UTF8',
      'WS_ERR_TOO_MANY_BUFFERED_PARTS',
      'WS_ERR_UNEXPECTED_MASK',
      'WS_ERR_UNEXPECTED_RSV_1',
      'WS_ERR_UNEXPECTED_RSV_2_3',
      'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
      'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
    ]) {
      assert.ok(outcomes.get(outcome) >= 100, `${outcome}: ${outcomes.get(outcome) ?? 0} times`);
    }
  });
}
