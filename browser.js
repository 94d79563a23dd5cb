'use strict';

module.exports = function () {
  throw new Error(
    'hawser runs in Node.js only. In a browser, use the WebSocket class that it provides.'
  );
};
