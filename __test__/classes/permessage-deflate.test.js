'use strict';

// The negotiation of permessage-deflate, RFC 7692 section 7.1.

const assert = require('node:assert');
const WebSocket = require('../support/impl');
const { hawserTest, isWs, test } = require('../support/helpers');

const { PerMessageDeflate, extension } = WebSocket;

/** The offers of a Sec-WebSocket-Extensions field, as accept() wants them. */
const offers = (header) => extension.parse(header)['permessage-deflate'];
const client = (options) => new PerMessageDeflate(options);
const server = (options) => new PerMessageDeflate({ ...options, isServer: true });

test('extensionName', () => {
  assert.strictEqual(PerMessageDeflate.extensionName, 'permessage-deflate');
});

for (const [options, expected] of [
  [undefined, { client_max_window_bits: true }],
  [{}, { client_max_window_bits: true }],
  [{ clientMaxWindowBits: true }, { client_max_window_bits: true }],
  [{ clientMaxWindowBits: false }, {}],
  [{ clientMaxWindowBits: 10 }, { client_max_window_bits: 10 }],
  [{ serverMaxWindowBits: 11 }, { server_max_window_bits: 11, client_max_window_bits: true }],
  [
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    {
      server_no_context_takeover: true,
      client_no_context_takeover: true,
      client_max_window_bits: true
    }
  ],
  [
    { serverNoContextTakeover: false, clientNoContextTakeover: false, serverMaxWindowBits: false },
    { client_max_window_bits: true }
  ]
]) {
  test(`offer: ${JSON.stringify(options)}`, () => {
    assert.deepStrictEqual({ ...client(options).offer() }, expected);
  });
}

test('offer: an offer can be formatted, parsed and accepted', () => {
  const options = {
    clientMaxWindowBits: 12,
    serverMaxWindowBits: 9,
    clientNoContextTakeover: true,
    serverNoContextTakeover: true
  };
  const header = extension.format({ 'permessage-deflate': client(options).offer() });
  assert.strictEqual(
    header,
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover; ' +
      'server_max_window_bits=9; client_max_window_bits=12'
  );
  assert.deepStrictEqual(
    { ...server().accept(offers(header)) },
    {
      server_no_context_takeover: true,
      client_no_context_takeover: true,
      server_max_window_bits: 9,
      client_max_window_bits: 12
    }
  );
});

// [options of the server, the offers, what it accepts]
for (const [options, header, expected] of [
  [{}, 'permessage-deflate', {}],
  [{}, 'permessage-deflate; client_max_window_bits', {}],
  [{}, 'permessage-deflate; client_max_window_bits=10', { client_max_window_bits: 10 }],
  [{}, 'permessage-deflate; server_max_window_bits=10', { server_max_window_bits: 10 }],
  [
    {},
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    { server_no_context_takeover: true, client_no_context_takeover: true }
  ],
  [
    { serverNoContextTakeover: true, clientNoContextTakeover: true },
    'permessage-deflate',
    { server_no_context_takeover: true, client_no_context_takeover: true }
  ],
  [
    { clientNoContextTakeover: false },
    'permessage-deflate; client_no_context_takeover',
    { client_no_context_takeover: true }
  ],
  [
    { clientMaxWindowBits: 10 },
    'permessage-deflate; client_max_window_bits',
    { client_max_window_bits: 10 }
  ],
  [
    { clientMaxWindowBits: 10 },
    'permessage-deflate; client_max_window_bits=12',
    { client_max_window_bits: 10 }
  ],
  [
    { clientMaxWindowBits: true },
    'permessage-deflate; client_max_window_bits=12',
    { client_max_window_bits: 12 }
  ],
  [{ clientMaxWindowBits: false }, 'permessage-deflate; client_max_window_bits=12', {}],
  [
    { serverMaxWindowBits: 10 },
    'permessage-deflate; server_max_window_bits=12',
    { server_max_window_bits: 10 }
  ],
  [{ serverMaxWindowBits: 10 }, 'permessage-deflate', { server_max_window_bits: 10 }],
  [
    { serverMaxWindowBits: true },
    'permessage-deflate; server_max_window_bits=12',
    { server_max_window_bits: 12 }
  ]
]) {
  test(`a server ${JSON.stringify(options)} accepts ${header}`, () => {
    const deflate = server(options);
    const accepted = deflate.accept(offers(header));
    assert.deepStrictEqual({ ...accepted }, expected);
    assert.strictEqual(deflate.params, accepted);
  });
}

for (const [options, header] of [
  [{ serverNoContextTakeover: false }, 'permessage-deflate; server_no_context_takeover'],
  [{ serverMaxWindowBits: false }, 'permessage-deflate; server_max_window_bits=10'],
  [{ serverMaxWindowBits: 11 }, 'permessage-deflate; server_max_window_bits=10'],
  [{ clientMaxWindowBits: 10 }, 'permessage-deflate'],
  [{ clientMaxWindowBits: 11 }, 'permessage-deflate; client_max_window_bits=10']
]) {
  test(`a server ${JSON.stringify(options)} declines ${header}`, () => {
    assert.throws(() => server(options).accept(offers(header)), {
      name: 'Error',
      message: 'None of the extension offers can be accepted'
    });
  });
}

test('a server takes the first offer that it can accept', () => {
  const header =
    'permessage-deflate; server_max_window_bits=9, ' +
    'permessage-deflate; server_max_window_bits=12; client_no_context_takeover, ' +
    'permessage-deflate';
  assert.deepStrictEqual(
    { ...server({ serverMaxWindowBits: 11 }).accept(offers(header)) },
    {
      server_max_window_bits: 11,
      client_no_context_takeover: true
    }
  );
});

// [options of the client, the response, what it accepts]
for (const [options, header, expected] of [
  [{}, 'permessage-deflate', {}],
  [{}, 'permessage-deflate; client_max_window_bits=9', { client_max_window_bits: 9 }],
  [
    { clientMaxWindowBits: 10 },
    'permessage-deflate; client_max_window_bits=10',
    { client_max_window_bits: 10 }
  ],
  [
    { clientMaxWindowBits: 10 },
    'permessage-deflate; client_max_window_bits=9',
    { client_max_window_bits: 9 }
  ],
  [{ clientMaxWindowBits: 10 }, 'permessage-deflate', { client_max_window_bits: 10 }],
  [
    { serverNoContextTakeover: true },
    'permessage-deflate; server_no_context_takeover; server_max_window_bits=15',
    { server_no_context_takeover: true, server_max_window_bits: 15 }
  ],
  [{}, 'permessage-deflate; client_no_context_takeover', { client_no_context_takeover: true }]
]) {
  test(`a client ${JSON.stringify(options)} accepts ${header}`, () => {
    const deflate = client(options);
    const accepted = deflate.accept(offers(header));
    assert.deepStrictEqual({ ...accepted }, expected);
    assert.strictEqual(deflate.params, accepted);
  });
}

for (const [options, header, message] of [
  [
    { clientNoContextTakeover: false },
    'permessage-deflate; client_no_context_takeover',
    'Unexpected parameter "client_no_context_takeover"'
  ],
  [
    { clientMaxWindowBits: false },
    'permessage-deflate; client_max_window_bits=10',
    'Unexpected or invalid parameter "client_max_window_bits"'
  ],
  [
    { clientMaxWindowBits: 10 },
    'permessage-deflate; client_max_window_bits=11',
    'Unexpected or invalid parameter "client_max_window_bits"'
  ]
]) {
  test(`a client ${JSON.stringify(options)} declines ${header}`, () => {
    assert.throws(() => client(options).accept(offers(header)), { name: 'Error', message });
  });
}

// [the parameters, the error, whether only a client minds]
for (const [parameters, name, message, clientOnly] of [
  ['foo', 'Error', 'Unknown parameter "foo"'],
  [
    'server_no_context_takeover; server_no_context_takeover',
    'Error',
    'Parameter "server_no_context_takeover" must have only a single value'
  ],
  [
    'client_max_window_bits=10; client_max_window_bits=10',
    'Error',
    'Parameter "client_max_window_bits" must have only a single value'
  ],
  [
    'server_no_context_takeover=1',
    'TypeError',
    'Invalid value for parameter "server_no_context_takeover": 1'
  ],
  [
    'client_no_context_takeover=true',
    'TypeError',
    'Invalid value for parameter "client_no_context_takeover": true'
  ],
  ...['7', '16', '-8', '10.5', 'x', '08x'].flatMap((value) =>
    ['client_max_window_bits', 'server_max_window_bits'].map((key) => [
      `${key}=${value}`,
      'TypeError',
      `Invalid value for parameter "${key}": ${value}`
    ])
  ),
  [
    'server_max_window_bits',
    'TypeError',
    'Invalid value for parameter "server_max_window_bits": true'
  ],
  [
    'client_max_window_bits',
    'TypeError',
    'Invalid value for parameter "client_max_window_bits": true',
    true
  ]
]) {
  test(`bad parameters: ${parameters}`, () => {
    for (const make of clientOnly ? [client] : [client, server]) {
      const header = `permessage-deflate; ${parameters}`;
      assert.throws(() => make().accept(offers(header)), { name, message });
    }
  });
}

test('window bits', () => {
  for (let bits = isWs ? 8 : 9; bits <= 15; bits++) {
    const header = `permessage-deflate; client_max_window_bits=${bits}; server_max_window_bits=${bits}`;
    const expected = { client_max_window_bits: bits, server_max_window_bits: bits };
    for (const make of [client, server]) {
      assert.deepStrictEqual({ ...make().accept(offers(header)) }, expected);
    }
  }
});

hawserTest('a window of 8 bits for what this end compresses is not agreed to', () => {
  const bits = (name) => offers(`permessage-deflate; ${name}_max_window_bits=8`);
  assert.throws(() => client().accept(bits('client')), {
    message: 'Unexpected or invalid parameter "client_max_window_bits"'
  });
  assert.throws(() => server().accept(bits('server')), {
    message: 'None of the extension offers can be accepted'
  });
  assert.deepStrictEqual({ ...client().accept(bits('server')) }, { server_max_window_bits: 8 });
});

test('params is null before accept()', () => {
  assert.strictEqual(client().params, null);
});
