'use strict';

const js = require('@eslint/js');
const globals = require('globals');

module.exports = [
  {
    ignores: [
      '**/target/',
      '**/.venv/',
      'autobahn/venv/',
      'autobahn/.virtualenv/',
      'autobahn/reports/',
      'native.js'
    ]
  },
  js.configs.recommended,
  {
    files: ['**/*.js'],
    languageOptions: { sourceType: 'commonjs', globals: globals.node },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-var': 'error',
      'prefer-const': 'error',
      strict: 'error'
    }
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { sourceType: 'module', globals: globals.node }
  },
  {
    files: ['examples/demo/public/**/*.js'],
    languageOptions: { sourceType: 'module', globals: globals.browser }
  },
  {
    // Node's own WebSocket, and a function that runs in a page.
    files: ['__test__/peers/*.js'],
    languageOptions: { globals: { WebSocket: 'readonly', location: 'readonly' } }
  }
];
