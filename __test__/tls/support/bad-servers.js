'use strict';

// Servers with something wrong, or something that only looks wrong. A row is
//   [title, what the server is, options of the client, host in the URL (127.0.0.1 if not given)]
// The server is options of tls.createServer(), or a function that is called with each TCP socket.

const { certificate, key, pair, root, server } = require('../../support/certificates');

const direct = pair('direct');
const trusted = { ca: root };

/** How each chain looks to a client that trusts nothing, all, or some of it. */
const CHAINS = [
  ['a good chain', server, trusted],
  ['a good chain, for a name', server, trusted, 'localhost'],
  ['a good chain, of an unknown root', server, {}],
  ['a good chain, of another root', server, { ca: certificate('other-root') }],
  ['a good chain with its root', pair('server', 'intermediate', 'root'), trusted],
  ['a good chain with its root, which is unknown', pair('server', 'intermediate', 'root'), {}],
  ['a chain in the wrong order', pair('server', 'root', 'intermediate'), trusted],
  [
    'a chain with what does not belong to it',
    pair('server', 'other-root', 'intermediate'),
    trusted
  ],
  ['a chain without the intermediate', pair('server'), trusted],
  ['a chain without the intermediate, of an unknown root', pair('server'), {}],
  [
    'a chain without the intermediate, which the client has',
    pair('server'),
    { ca: [root, certificate('intermediate')] }
  ],
  ['only the intermediate is trusted', server, { ca: certificate('intermediate') }],
  ['only the leaf is trusted', server, { ca: certificate('server') }],
  ['a leaf of the root', direct, trusted],
  ['a leaf of an unknown root', direct, {}],
  ['only the leaf of the root is trusted', direct, { ca: certificate('direct') }],
  ['a leaf of the root, with the root', pair('direct', 'root'), trusted],
  ['a leaf of an unknown root, with the root', pair('direct', 'root'), {}],
  ['a leaf of another root', pair('of-other-root'), trusted],
  ['a leaf of a root that has only the name', pair('of-impostor'), trusted],
  ['a leaf of a root that has only the name, with it', pair('of-impostor', 'impostor'), trusted],
  ['signed by itself', pair('self-signed'), {}],
  ['signed by itself, trusted', pair('self-signed'), { ca: certificate('self-signed') }],
  ['signed by itself, another one trusted', pair('self-signed'), trusted],
  ['a leaf signed by itself', pair('self-signed-leaf'), {}],
  [
    'a leaf signed by itself, trusted',
    pair('self-signed-leaf'),
    { ca: certificate('self-signed-leaf') }
  ],
  ['signed by no authority', pair('of-not-ca', 'not-ca'), trusted],
  ['signed by who may not sign', pair('of-no-signing', 'no-signing'), trusted],
  ['a chain that is too long', pair('of-too-deep', 'too-deep', 'short'), trusted],
  ['a name that its authority may not sign', pair('of-constrained', 'constrained'), trusted],
  ['a signature that is wrong', pair('bad-signature'), trusted],
  ['an unknown critical extension', pair('critical'), trusted]
];

const TIMES = [
  ['expired', pair('expired'), trusted],
  ['expired, of an unknown root', pair('expired'), {}],
  ['not yet valid', pair('future'), trusted],
  ['of an expired root', pair('of-expired-root'), { ca: certificate('expired-root') }],
  ['of an expired root, unknown', pair('of-expired-root'), {}],
  ['of an expired intermediate', pair('of-expired-intermediate', 'expired-intermediate'), trusted],
  ['expired, signed by itself', pair('expired-self-signed'), {}],
  [
    'expired, signed by itself, trusted',
    pair('expired-self-signed'),
    { ca: certificate('expired-self-signed') }
  ],
  ['expired, and for another name', pair('expired'), { ...trusted, servername: 'else.test' }]
];

const USAGES = [
  ['for no use in particular', pair('no-usage'), trusted],
  ['for any use', pair('any-usage'), trusted],
  ['for clients only', pair('wrong-usage'), trusted],
  ['for clients only, of an unknown root', pair('wrong-usage'), {}],
  ['for no signatures', pair('no-signature'), trusted]
];

const NAMES = [
  ['for another name', pair('other-name'), trusted],
  ['for another name, to a name', pair('other-name'), trusted, 'localhost'],
  ['for another name, of an unknown root', pair('other-name'), {}],
  ['for another name, which is asked for', pair('other-name'), as('other.test')],
  ['another name is asked for', direct, as('else.test')],
  ["servername: ''", direct, as(''), 'localhost'],
  ['an address is asked for', direct, as('127.0.0.1'), 'localhost'],
  ['the name ends in a dot', direct, as('name.test.')],
  ['the name in upper case is asked for', direct, as('NAME.TEST')],
  ['the certificate has it in upper case', pair('upper-case'), as('name.test')],
  ['*.name.test for a.name.test', pair('wildcard'), as('a.name.test')],
  ['*.name.test for a.b.name.test', pair('wildcard'), as('a.b.name.test')],
  ['*.name.test for name.test', pair('wildcard'), as('name.test')],
  ['*.name.test for *.name.test', pair('wildcard'), as('*.name.test')],
  ['a*.name.test for ab.name.test', pair('partial-wildcard'), as('ab.name.test')],
  ['a*.name.test for b.name.test', pair('partial-wildcard'), as('b.name.test')],
  ['an address only, to it', pair('ip-only'), trusted],
  ['an address only, to a name', pair('ip-only'), trusted, 'localhost'],
  ['a URI only', pair('uri-only'), trusted, 'localhost'],
  ['a common name only', pair('cn-only'), trusted, 'localhost'],
  ['a common name only, to an address', pair('cn-only'), trusted],
  ['another common name only', pair('cn-other'), trusted, 'localhost'],
  ['a common name, but a SAN for another', pair('cn-and-san'), trusted, 'localhost'],
  ['a common name, and a SAN for an address', pair('cn-and-ip'), trusted, 'localhost'],
  ['a common name, and a SAN for another address', pair('cn-and-ip'), trusted],
  ['no extensions at all', pair('version-1'), trusted, 'localhost']
];

const KEYS = ['rsa', 'p384', 'ed25519', 'p521'].map((name) => [name, pair(name), trusted]);

function as(servername) {
  return { ...trusted, servername };
}

const anyCipher = { ciphers: 'DEFAULT@SECLEVEL=0' };

const AGREEMENTS = [
  [
    'TLS 1.1 only',
    { ...direct, ...anyCipher, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' },
    trusted
  ],
  [
    'TLS 1.2 only, the client 1.3',
    { ...direct, maxVersion: 'TLSv1.2' },
    { ...trusted, minVersion: 'TLSv1.3' }
  ],
  [
    'TLS 1.3 only, the client 1.2',
    { ...direct, minVersion: 'TLSv1.3' },
    { ...trusted, maxVersion: 'TLSv1.2' }
  ],
  ['TLS 1.2 only', { ...direct, maxVersion: 'TLSv1.2' }, trusted],
  ['TLS 1.3 only', { ...direct, minVersion: 'TLSv1.3' }, trusted],
  ['no protocol in common', { ...direct, ALPNProtocols: ['h2'] }, alpn('http/1.1')],
  [
    'no protocol in common, TLS 1.2',
    { ...direct, ALPNProtocols: ['h2'], maxVersion: 'TLSv1.2' },
    alpn('http/1.1')
  ],
  ['a protocol in common', { ...direct, ALPNProtocols: ['h2', 'http/1.1'] }, alpn('http/1.1')],
  ['a server without protocols', direct, alpn('http/1.1')],
  ['a client without protocols', { ...direct, ALPNProtocols: ['h2'] }, trusted]
];

function alpn(...ALPNProtocols) {
  return { ...trusted, ALPNProtocols };
}

const demanding = { ...direct, requestCert: true, rejectUnauthorized: true, ca: root };

/** In TLS 1.3 the refusal comes when the client is done with its handshake already. */
const CLIENTS = ['TLSv1.2', 'TLSv1.3'].flatMap((maxVersion) =>
  [
    ['no certificate', {}],
    ['a good certificate', pair('client')],
    ['a good certificate and chain', pair('client-of-intermediate', 'intermediate')],
    ['a certificate without its chain', pair('client-of-intermediate')],
    ['a certificate signed by itself', pair('client-self-signed')],
    ['a certificate of another root', pair('client-unknown')],
    ['an expired certificate', pair('client-expired')],
    ['a certificate that is not yet valid', pair('client-future')],
    ["a server's certificate", pair('client-wrong-usage')],
    ['an encrypted key', { cert: certificate('client'), ...encrypted('leaf-pkcs8-encrypted') }],
    [
      'a key in the older encryption',
      { cert: certificate('client'), ...encrypted('leaf-sec1-encrypted') }
    ]
  ].map(([title, credentials]) => [
    `${title} [${maxVersion}]`,
    { ...demanding, minVersion: maxVersion, maxVersion },
    { ...trusted, ...credentials }
  ])
);

function encrypted(name) {
  return { key: key(name), passphrase: 'hawser' };
}

const record = (type, bytes, version = 0x0303) =>
  Buffer.from([type, version >> 8, version & 255, bytes.length >> 8, bytes.length & 255, ...bytes]);
const alert = (level, description) => record(21, [level, description]);
/** Sends these bytes when the client's first have come, and ends. */
const answer = (bytes) => (socket) => socket.once('data', () => socket.end(bytes));
const answerAndWait = (bytes) => (socket) => socket.once('data', () => socket.write(bytes));

const FATAL = 2;
const WARNING = 1;
const ALERTS = {
  unexpected_message: 10,
  bad_record_mac: 20,
  record_overflow: 22,
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  insufficient_security: 71,
  internal_error: 80,
  inappropriate_fallback: 86,
  missing_extension: 109,
  unsupported_extension: 110,
  unrecognized_name: 112,
  bad_certificate_status_response: 113,
  unknown_psk_identity: 115,
  certificate_required: 116,
  no_application_protocol: 120,
  unknown: 200
};

const BYTES = [
  ['plain HTTP', answer('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'), trusted],
  ['an SMTP greeting', (socket) => socket.write('220 mail.test ESMTP\r\n'), trusted],
  ['zeros', answer(Buffer.alloc(100)), trusted],
  ['garbage', answer(Buffer.alloc(100, 0xa5)), trusted],
  ['one byte, and the end', answer(Buffer.from([22])), trusted],
  ['a record of an unknown type', answerAndWait(record(99, [1, 2, 3])), trusted],
  ['a record of another version', answerAndWait(record(22, [2, 0, 0, 0], 0x0909)), trusted],
  ['a record that is too long', answerAndWait(Buffer.from([22, 3, 3, 255, 255, 2])), trusted],
  ['application data at once', answerAndWait(record(23, [1, 2, 3])), trusted],
  ['a handshake message that is not due', answerAndWait(record(22, [20, 0, 0, 0])), trusted],
  ['a ServerHello without content', answerAndWait(record(22, [2, 0, 0, 0])), trusted],
  ['half a ServerHello, and the end', answer(record(22, [2, 0, 0, 80, 3, 3])), trusted],
  ['a ClientHello', answerAndWait(record(22, [1, 0, 0, 0])), trusted],
  ['close_notify', answer(alert(WARNING, 0)), trusted],
  ['the end at once', (socket) => socket.end(), trusted],
  ['the end after the ClientHello', answer(''), trusted],
  [
    'a reset after the ClientHello',
    (socket) => socket.once('data', () => socket.resetAndDestroy()),
    trusted
  ],
  ...Object.entries(ALERTS).map(([name, code]) => [
    `alert ${name}`,
    answerAndWait(alert(FATAL, code)),
    trusted
  ]),
  ['alert handshake_failure, and the end', answer(alert(FATAL, 40)), trusted],
  ['alert unrecognized_name as a warning, and the end', answer(alert(WARNING, 112)), trusted],
  ['alert user_canceled as a warning, and the end', answer(alert(WARNING, 90)), trusted]
];

module.exports = { AGREEMENTS, BYTES, CHAINS, CLIENTS, KEYS, NAMES, TIMES, USAGES };
