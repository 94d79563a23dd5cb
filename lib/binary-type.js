'use strict';

/**
 * A binary message as `binaryType` wants it.
 *
 * @param {Buffer} data the whole message
 * @param {string} type nodebuffer, arraybuffer, fragments or blob
 * @param {ArrayLike<number>} [ends] where its fragments end, if there is more than one
 */
function convert(data, type, ends) {
  switch (type) {
    case 'arraybuffer':
      return data.byteLength === data.buffer.byteLength
        ? data.buffer
        : data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
    case 'fragments':
      return data.length === 0 ? [] : ends ? cut(data, ends) : [data];
    case 'blob':
      return new Blob([data]);
    default:
      return data;
  }
}

function cut(data, ends) {
  let start = 0;
  return Array.from(ends, (end) => data.subarray(start, (start = end)));
}

module.exports = { convert };
