'use strict';

module.exports = function () {
  throw new Error(
    'hawser does not work in the browser: there, use the WebSocket class that the browser provides.'
  );
};
