'use strict';

/** The close status that `err` carries for the WebSocket which has to answer it. */
function statusOf(err) {
  const key = Object.getOwnPropertySymbols(err).find((one) => one.description === 'status-code');
  return err[key];
}

/** The parts of a message's data, each a Buffer. */
function partsOf(data) {
  if (Array.isArray(data)) return data;
  return [data instanceof ArrayBuffer ? Buffer.from(data) : data];
}

const kindOf = (data) =>
  Array.isArray(data) ? 'fragments' : data instanceof ArrayBuffer ? 'arraybuffer' : 'nodebuffer';

/**
 * Writes a stream of streams.js to a new Receiver of this class, and resolves with the trace of its
 * events: a list of { name, parts?, ... }, where `parts` are Buffers.
 */
function drive(Receiver, { bytes, cuts, options, waits }) {
  return new Promise((resolve) => {
    const receiver = new Receiver(options);
    const own = Buffer.from(bytes); // a Receiver may unmask in place
    const trace = [];
    let isConcluded = false;
    let failure;

    receiver.on('message', (data, isBinary) =>
      trace.push({ name: isBinary ? 'binary' : 'text', kind: kindOf(data), parts: partsOf(data) })
    );
    receiver.on('ping', (data) => trace.push({ name: 'ping', parts: [data] }));
    receiver.on('pong', (data) => trace.push({ name: 'pong', parts: [data] }));
    receiver.on('conclude', (code, reason) => {
      isConcluded = true;
      trace.push({ name: 'conclude', code, parts: [reason] });
    });
    receiver.on('error', (err) =>
      trace.push({
        name: 'error',
        type: err.constructor.name,
        code: err.code,
        message: err.message,
        status: statusOf(err),
        isOfWrite: err === failure
      })
    );
    receiver.on('finish', () => trace.push({ name: 'finish' }));
    receiver.on('close', () => resolve(trace));

    let piece = 0;
    const write = () => {
      const last = piece === cuts.length;
      const chunk = own.subarray(cuts[piece - 1] ?? 0, cuts[piece] ?? own.length);
      piece++;
      receiver.write(chunk, (err) => {
        if (err) failure ??= err;
        else if (isConcluded) return;
        else if (last) receiver.end();
        else if (waits) write();
      });
    };
    write();
    while (!waits && piece <= cuts.length && !isConcluded) write();
  });
}

module.exports = { drive };
