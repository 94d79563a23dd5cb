'use strict';

/**
 * Lines up rows of cells: the first column to the left, the others to the right.
 *
 * @param {string[][]} rows
 * @returns {string}
 */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column])
        )
        .join('  ')
        .trimEnd()
    )
    .join('\n');
}

/** A number with a fixed count of decimals and commas between thousands. */
function number(value, digits) {
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits
  });
}

/** A ratio to three significant figures. */
function ratio(value) {
  return `${Number(value.toPrecision(3))}x`;
}

module.exports = { table, number, ratio };
