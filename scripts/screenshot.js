'use strict';

// Takes a picture of a page: node scripts/screenshot.js URL OUT.png [WIDTHxHEIGHT] [dark] [SECONDS]

const { setTimeout: delay } = require('node:timers/promises');
const { Browser, findChromium } = require('../__test__/support/cdp.js');

async function main([url, file, size = '1280x800', scheme = 'light', seconds = '3']) {
  const executable = findChromium();
  if (!url || !file) throw new Error('usage: screenshot.js URL OUT.png [WIDTHxHEIGHT] [dark] [S]');
  if (!executable) throw new Error('no Chromium found: install it, or set CHROMIUM to its path');
  const [width, height] = size.split('x').map(Number);
  const browser = await Browser.launch(executable);
  try {
    const page = await browser.open(url, { width, height, dark: scheme === 'dark' });
    await delay(Number(seconds) * 1000);
    await page.screenshot(file);
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((err) => {
  console.error(err.message);
  process.exitCode = 1;
});
