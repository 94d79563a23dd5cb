'use strict';

// The implementation under test. The same files run against npm ws, which keeps the contract honest:
//   HAWSER_TEST_IMPL=ws node scripts/test.js
module.exports = process.env.HAWSER_TEST_IMPL === 'ws' ? require('ws') : require('../..');
