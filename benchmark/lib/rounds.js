'use strict';

const { median } = require('./stats');

/**
 * Measures each server once in every round; the order rotates. A run that fails is reported and
 * makes the exit code 1.
 *
 * @param {Object[]} implementations with a `name` each
 * @param {number} rounds
 * @param {Function} measure resolves to numbers by name
 * @returns {Promise<Map<string, Object>>} their medians, by name of the implementation
 */
async function collect(implementations, rounds, measure) {
  const results = new Map(implementations.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const implementation of rotate(implementations, round)) {
      const { name } = implementation;
      try {
        results.get(name).push(await measure(implementation));
      } catch (error) {
        console.error(`FAILED round ${round + 1}, ${name}: ${error.message}`);
        process.exitCode = 1;
      }
    }
  }
  const measured = [...results].filter(([, list]) => list.length > 0);
  return new Map(measured.map(([name, list]) => [name, medians(list)]));
}

function medians(results) {
  const keys = Object.keys(results[0]);
  return Object.fromEntries(keys.map((key) => [key, median(results.map((one) => one[key]))]));
}

/** The same list, begun at another place. */
function rotate(list, by) {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}

module.exports = { collect, rotate };
