'use strict';

const native = require('./native');

/** The headers that negotiate extensions and subprotocols, as ws exports their parsers. */
const extension = {
  /**
   * Parses Sec-WebSocket-Extensions (RFC 6455 section 9.1).
   *
   * @param {string} header
   * @returns {object} for each extension a list of its offers: parameters with lists of values, true
   *   for a parameter without one
   * @throws {SyntaxError}
   */
  parse(header) {
    const extensions = Object.create(null);
    for (const { name, params } of parse(native.parseExtensions, header)) {
      const offer = Object.create(null);
      for (const param of params) (offer[param.name] ??= []).push(param.value);
      (extensions[name] ??= []).push(offer);
    }
    return extensions;
  },

  /** The header for what `parse` returns; single values need no list around them. */
  format(extensions) {
    const elements = Object.keys(extensions).flatMap((name) =>
      list(extensions[name]).map((offer) => [name, ...formatParams(offer)].join('; '))
    );
    return elements.join(', ');
  }
};

const subprotocol = {
  /**
   * Parses Sec-WebSocket-Protocol (RFC 6455 section 11.3.4).
   *
   * @param {string} header
   * @returns {Set<string>} in the client's order of preference
   * @throws {SyntaxError}
   */
  parse(header) {
    return new Set(parse(native.parseSubprotocols, header));
  }
};

function parse(parser, header) {
  try {
    return parser(header);
  } catch (err) {
    throw new SyntaxError(err.message, { cause: err });
  }
}

function formatParams(offer) {
  return Object.keys(offer).flatMap((name) =>
    list(offer[name]).map((value) => (value === true ? name : `${name}=${value}`))
  );
}

function list(value) {
  return Array.isArray(value) ? value : [value];
}

module.exports = { extension, subprotocol };
