'use strict';

// A server with a certificate of its own, and the WebSocket class that Node itself has (undici's).

const { hawserTest } = require('../support/helpers.js');
const { file, server } = require('../support/certificates.js');
const { converse } = require('./builtin-conversation.js');

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  hawserTest(`client of Node's own WebSocket, ${version}`, (t) =>
    converse(
      t,
      { perMessageDeflate: false, ...server, minVersion: version, maxVersion: version },
      { NODE_EXTRA_CA_CERTS: file('root.crt') }
    )
  );
}
