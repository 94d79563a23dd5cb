'use strict';

// A server with a certificate of its own, and a headless Chromium on https: and wss:.

const { once } = require('node:events');
const { describe, before, after } = require('node:test');
const { HOST, hawserTest } = require('../support/helpers.js');
const { WebSocketServer } = require('../support/impl.js');
const { Browser, findChromium } = require('../support/cdp.js');
const { server } = require('../support/certificates.js');
const { needPeer } = require('./need-peer.js');
const { page, talk, watch } = require('./chromium-page.js');

const HINT = 'Chromium is missing: apt-get install chromium, or set CHROMIUM to its path';
const chromium = findChromium();

describe('Chromium over TLS', () => {
  let browser;

  before(async () => {
    // it trusts what the system does, and has no option for more
    if (chromium) browser = await Browser.launch(chromium, ['--ignore-certificate-errors']);
  });

  after(() => browser?.close());

  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    hawserTest(`messages, ping and close, ${version}`, async (t) => {
      if (!needPeer(t, chromium, HINT)) return;
      const versions = { minVersion: version, maxVersion: version };
      const wss = new WebSocketServer({ port: 0, host: HOST, ...server, ...versions });
      t.after(() => wss.close());
      wss.on('request', page);
      await once(wss, 'listening');
      await talk(browser, `https://${HOST}:${wss.address().port}/`, watch(wss));
    });
  }
});
