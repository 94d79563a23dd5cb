'use strict';

/** The middle of the values, or the mean of the two in the middle. */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Half the distance from the lowest to the highest value, as a share of the median. */
function spread(values) {
  const half = (Math.max(...values) - Math.min(...values)) / 2;
  return half === 0 ? 0 : half / median(values);
}

module.exports = { median, spread };
