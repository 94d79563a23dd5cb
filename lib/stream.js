'use strict';

const { Duplex } = require('stream');

/**
 * A Duplex on top of a WebSocket: what is written becomes messages, and messages are read. Reading
 * that stops pauses the WebSocket, and a write is over when its message has been handed to the
 * operating system.
 *
 * @param {import('./websocket')} ws
 * @param {import('stream').DuplexOptions} [options]
 * @returns {Duplex}
 */
function createWebSocketStream(ws, options) {
  // whether destroy() on either side has to end the other one too
  let terminatesOnDestroy = true;

  const duplex = new Duplex({
    ...options,
    autoDestroy: false,
    emitClose: false,
    objectMode: false,
    writableObjectMode: false,
    read() {
      if (ws.isPaused) ws.resume();
    },
    write(chunk, encoding, callback) {
      if (ws.readyState === ws.CONNECTING) ws.once('open', () => ws.send(chunk, callback));
      else ws.send(chunk, callback);
    },
    final(callback) {
      if (ws.readyState === ws.CONNECTING) ws.once('open', () => finish(callback));
      else finish(callback);
    },
    destroy(err, callback) {
      destroy(err, callback);
    }
  });

  /** Our half ends with the closing handshake. */
  function finish(callback) {
    // it has never been open: the error that says why destroys us
    if (ws._socket === null) return;
    if (ws.readyState === ws.CLOSED) {
      callback();
      if (duplex._readableState.endEmitted) duplex.destroy();
      return;
    }
    let isFinished = false;
    const done = () => {
      if (isFinished) return;
      isFinished = true;
      callback();
    };
    // before the listener that ends the readable side
    ws.prependOnceListener('close', done);
    ws.close();
    ws._whenShut(done);
  }

  function destroy(err, callback) {
    if (ws.readyState === ws.CLOSED) {
      callback(err);
      process.nextTick(emitClose, duplex);
      return;
    }
    let hasFailed = false;
    ws.once('error', (error) => {
      hasFailed = true;
      callback(error);
    });
    ws.once('close', () => {
      if (!hasFailed) callback(err);
      process.nextTick(emitClose, duplex);
    });
    if (terminatesOnDestroy) ws.terminate();
  }

  ws.on('message', (data, isBinary) => {
    const chunk = !isBinary && duplex._readableState.objectMode ? data.toString() : data;
    if (!duplex.push(chunk)) ws.pause();
  });
  ws.once('error', (err) => {
    if (duplex.destroyed) return;
    // what was received before the error is still read
    terminatesOnDestroy = false;
    duplex.destroy(err);
  });
  ws.once('close', () => {
    if (!duplex.destroyed) duplex.push(null);
  });
  duplex.on('end', () => {
    if (!duplex.destroyed && duplex._writableState.finished) duplex.destroy();
  });
  duplex.on('error', onError);

  /** Without a listener of the application's the error is its own. */
  function onError(err) {
    duplex.removeListener('error', onError);
    duplex.destroy();
    if (duplex.listenerCount('error') === 0) duplex.emit('error', err);
  }

  return duplex;
}

function emitClose(stream) {
  stream.emit('close');
}

module.exports = createWebSocketStream;
