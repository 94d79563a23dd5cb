'use strict';

/**
 * What the events of a connection go to before it is a WebSocket: nothing that a peer sends early
 * is of interest. lib/events.js calls these.
 */
class Target {
  constructor(context) {
    /** Where its events are emitted: see lib/async-context.js. */
    this._context = context;
    /** The turn and the read of the last event. */
    this._lastTurn = 0;
    this._lastRead = 0;
  }

  _message() {}
  _ping() {}
  _pong() {}
  _closeFrame() {}
  _ended() {}
  _written() {}
  _notice() {}
  _closed() {}
  _output() {}
  _outputAtExit() {}
  _outputEnd() {}
  _consumed() {}
  _fragments() {}
}

module.exports = Target;
