'use strict';

/**
 * What a server does with its connections, in the API that ws and hawser share. Each application
 * takes the server and returns its commands for the control channel.
 */

/** Sends every message back. */
function echo(wss) {
  wss.on('connection', (ws) => {
    ws.on('error', ignore);
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  });
  return {};
}

/** An echo that, once armed, keeps one message of every 1,000. */
function keep(wss) {
  const kept = [];
  let armed = false;
  let count = 0;

  wss.on('connection', (ws) => {
    ws.on('error', ignore);
    ws.on('message', (data, isBinary) => {
      if (armed && ++count % 1000 === 0) kept.push(data);
      ws.send(data, { binary: isBinary });
    });
  });
  return {
    arm() {
      armed = true;
    },
    kept() {
      return { seen: count, kept: kept.length };
    }
  };
}

/** Counts stamped messages and, at `end COUNT`, says whether all of them came in order. */
function sink(wss) {
  wss.on('connection', (ws) => {
    let next = 0;
    let id;
    let fault;

    ws.on('error', ignore);
    ws.on('message', (data, isBinary) => {
      if (!isBinary) {
        const expected = Number(data.toString().replace('end ', ''));
        if (!fault && next !== expected) fault = `${next} of ${expected} messages arrived`;
        ws.send(fault ? `bad: ${fault}` : `ok ${next}`);
        return;
      }
      if (id === undefined) id = data.readUInt32LE(4);
      if (data.readUInt32LE(0) !== next || data.readUInt32LE(4) !== id) {
        fault ??= `message ${data.readUInt32LE(0)} of connection ${data.readUInt32LE(4)} came as message ${next} of ${id}`;
      }
      next++;
    });
  });
  return {};
}

function ignore() {}

module.exports = { echo, keep, sink };
