'use strict';

const crypto = require('node:crypto');

const OID_ECDSA_WITH_SHA256 = '2a8648ce3d040302';
const OID_COMMON_NAME = '550403';
const OID_SUBJECT_ALT_NAME = '551d11';

const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OID = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const SEQUENCE = 0x30;
const SET = 0x31;
/** Fields of a certificate that are marked by their numbers, and a kind of name that is. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;

/**
 * A self-signed certificate for localhost with an ECDSA P-256 key of its own, valid from yesterday to tomorrow:
 * no file that has to be kept, or that expires. Node makes keys but no certificates, hence the DER.
 *
 * @returns {{key: string, cert: string}} PEM, as `https.createServer`, hawser and Bun take them
 */
function selfSigned() {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(SEQUENCE, der(OID, Buffer.from(OID_ECDSA_WITH_SHA256, 'hex')));
  const name = der(
    SEQUENCE,
    der(
      SET,
      der(
        SEQUENCE,
        der(OID, Buffer.from(OID_COMMON_NAME, 'hex')),
        der(UTF8_STRING, Buffer.from('localhost'))
      )
    )
  );
  const subjectAltName = der(
    SEQUENCE,
    der(OID, Buffer.from(OID_SUBJECT_ALT_NAME, 'hex')),
    der(OCTET_STRING, der(SEQUENCE, der(DNS_NAME, Buffer.from('localhost'))))
  );
  // RFC 5280 section 4.1. Version 3, which is written 2: rustls takes no other.
  const body = der(
    SEQUENCE,
    der(VERSION, der(INTEGER, Buffer.from([2]))),
    der(INTEGER, Buffer.from([1])),
    algorithm,
    name,
    der(SEQUENCE, utcTime(-1), utcTime(1)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(EXTENSIONS, der(SEQUENCE, subjectAltName))
  );
  const signature = crypto.sign('sha256', body, privateKey);
  const certificate = der(SEQUENCE, body, algorithm, der(BIT_STRING, Buffer.from([0]), signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g);
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
  };
}

/** A DER value: tag, length, contents. */
function der(tag, ...contents) {
  const body = Buffer.concat(contents);
  let length = [body.length];
  if (body.length > 0xff) length = [0x82, body.length >> 8, body.length & 0xff];
  else if (body.length > 0x7f) length = [0x81, body.length];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
}

function utcTime(days) {
  const date = new Date(Date.now() + days * 24 * 3600 * 1000);
  const digits = date.toISOString().replace(/\D/g, '');
  return der(UTC_TIME, Buffer.from(`${digits.slice(2, 14)}Z`));
}

module.exports = { selfSigned };
