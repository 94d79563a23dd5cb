'use strict';

// The certificates of the tests; make-certificates.sh makes them anew.

const fs = require('node:fs');
const path = require('node:path');

const read = (name) => fs.readFileSync(path.join(__dirname, 'certificates', name));
const pair = (name) => ({ cert: read(`${name}.pem`), key: read(`${name}-key.pem`) });

module.exports = {
  /** What signed all but `selfSigned`. */
  ca: read('ca.pem'),
  /** For localhost, 127.0.0.1 and name.test. */
  server: pair('server'),
  /** For localhost and 127.0.0.1. */
  selfSigned: pair('self-signed'),
  /** For other.test only. */
  otherName: pair('other-name'),
  client: pair('client'),
  /** `client` as PKCS #12. */
  clientPfx: { pfx: read('client.pfx'), passphrase: 'hawser' }
};
