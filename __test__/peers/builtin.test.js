'use strict';

// The implementation's server against the WebSocket class that Node itself has (undici's).

const { test } = require('../support/helpers.js');
const { converse } = require('./builtin-conversation.js');

test("client of Node's own WebSocket", (t) => converse(t, { perMessageDeflate: false }));

test("client of Node's own WebSocket, compressed", async (t) => {
  for (const perMessageDeflate of [
    true,
    { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 },
    { serverMaxWindowBits: 9 }
  ]) {
    await converse(t, { perMessageDeflate });
  }
});
