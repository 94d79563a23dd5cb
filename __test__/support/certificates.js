'use strict';

// The certificates of the tests, by the names that scripts/make-test-certificates.sh gives them: it
// says what each of them is, and makes them anew. Leaves have the same key, unless they are named
// after theirs.

const fs = require('node:fs');
const path = require('node:path');

const FOLDER = path.join(__dirname, 'tls');
/** Of every key that is encrypted, and of `client.pfx`. */
const PASSPHRASE = 'hawser';
const OWN_KEY = ['rsa', 'rsa-1024', 'ed25519', 'p384', 'p521'];

const file = (name) => path.join(FOLDER, name);
const read = (name) => fs.readFileSync(file(name));

/** PEM of one certificate, or of several one after the other. */
const certificate = (...names) => Buffer.concat(names.map((name) => read(`${name}.crt`)));

/** PEM of a private key. */
const key = (name = 'leaf') => read(`${name}.key`);

/** `cert` and `key` of a leaf; `chain` are the names of what is sent behind it. */
function pair(name, ...chain) {
  return {
    cert: certificate(name, ...chain),
    key: key(OWN_KEY.includes(name) ? name : 'leaf')
  };
}

/** What signed `server`, by the intermediate, and `direct`, by itself. */
const root = certificate('root');
/** For localhost, name.test, 127.0.0.1 and ::1, with its chain. */
const server = pair('server', 'intermediate');

module.exports = { PASSPHRASE, certificate, file, key, pair, read, root, server };
