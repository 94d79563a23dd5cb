//! What webpki does not look at and OpenSSL does: whether a root may issue certificates at all, and
//! whether the key of an authority may sign them (RFC 5280 sections 4.2.1.3, 4.2.1.9, 4.2.1.12).

use super::verify::Purpose;

/// DER tags: of a sequence, of an object identifier, of a boolean, of an octet string, of a bit
/// string, and of the version and the extensions in a certificate.
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// id-ce-keyUsage, 2.5.29.15.
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
/// id-ce-basicConstraints, 2.5.29.19.
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
/// id-ce-extKeyUsage, 2.5.29.37.
const EXTENDED_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x25];

/// id-kp-serverAuth and id-kp-clientAuth, 1.3.6.1.5.5.7.3.1 and .2.
const SERVER_AUTH: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTH: [u8; 8] = [0x2b, 6, 1, 5, 5, 7, 3, 2];

/// The bit keyCertSign, number 5, in the first byte.
const KEY_CERT_SIGN: u8 = 0x80 >> 5;

/// Whether the key of an authority may sign certificates; true also where nothing is said.
pub fn may_sign_certificates(certificate: &[u8]) -> bool {
    key_usage(certificate).is_none_or(|usage| usage & KEY_CERT_SIGN != 0)
}

/// Whether a root may issue certificates, by OpenSSL's rules: it says that it is an authority, or, if
/// it says nothing about that, it is of version 1 or its key is for signing certificates.
pub fn may_issue(certificate: &[u8]) -> bool {
    match extension(certificate, BASIC_CONSTRAINTS) {
        Some(constraints) => is_authority(constraints) && may_sign_certificates(certificate),
        None => match key_usage(certificate) {
            Some(usage) => usage & KEY_CERT_SIGN != 0,
            None => is_version_1(certificate),
        },
    }
}

/// Whether a certificate may be shown by such a peer; true also where nothing is said.
pub fn is_for(certificate: &[u8], purpose: Purpose) -> bool {
    let wanted = match purpose {
        Purpose::Server => SERVER_AUTH,
        Purpose::Client => CLIENT_AUTH,
    };
    let Some(usages) = extension(certificate, EXTENDED_KEY_USAGE) else {
        return true;
    };
    let Some((SEQUENCE, mut usages, _)) = element(usages) else {
        return false;
    };
    while let Some((_, usage, rest)) = element(usages) {
        if usage == wanted {
            return true;
        }
        usages = rest;
    }
    false
}

fn is_authority(constraints: &[u8]) -> bool {
    let Some((SEQUENCE, content, _)) = element(constraints) else {
        return false;
    };
    // FALSE is the default, and not written
    matches!(element(content), Some((BOOLEAN, [0xff], _)))
}

fn is_version_1(certificate: &[u8]) -> bool {
    fields(certificate)
        .and_then(element)
        .is_some_and(|(tag, _, _)| tag != VERSION)
}

/// The first eight bits of the usage.
fn key_usage(certificate: &[u8]) -> Option<u8> {
    let (BIT_STRING, bits, _) = element(extension(certificate, KEY_USAGE)?)? else {
        return None;
    };
    // the first byte counts the unused bits of the last
    Some(bits.get(1).copied().unwrap_or(0))
}

/// What is signed of a certificate.
fn fields(certificate: &[u8]) -> Option<&[u8]> {
    let (SEQUENCE, certificate, _) = element(certificate)? else {
        return None;
    };
    let (SEQUENCE, fields, _) = element(certificate)? else {
        return None;
    };
    Some(fields)
}

/// The value of an extension.
fn extension(certificate: &[u8], wanted: [u8; 3]) -> Option<&[u8]> {
    let mut fields = fields(certificate)?;
    let mut extensions = loop {
        let (tag, content, rest) = element(fields)?;
        if tag == EXTENSIONS {
            break element(content)?.1;
        }
        fields = rest;
    };
    loop {
        let (_, extension, rest) = element(extensions)?;
        extensions = rest;
        let (OBJECT_IDENTIFIER, id, mut value) = element(extension)? else {
            continue;
        };
        if id != wanted {
            continue;
        }
        // critical, or not
        if let Some((BOOLEAN, _, behind)) = element(value) {
            value = behind;
        }
        return match element(value)? {
            (OCTET_STRING, value, _) => Some(value),
            _ => None,
        };
    }
}

/// The element at the front of `der`: its tag, its content, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = der.split_first_chunk()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        let (bytes, rest) = rest.split_at_checked(count)?;
        if count > 4 {
            return None;
        }
        let len = bytes
            .iter()
            .fold(0, |len, &byte| len << 8 | usize::from(byte));
        (len, rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate with nothing but extensions.
    fn certificate(extensions: &[&[u8]]) -> Vec<u8> {
        let extensions = tagged(SEQUENCE, &extensions.concat());
        let fields = [
            tagged(VERSION, &tagged(0x02, &[2])),
            tagged(SEQUENCE, &[0; 200]),
            tagged(EXTENSIONS, &extensions),
        ];
        tagged(SEQUENCE, &tagged(SEQUENCE, &fields.concat()))
    }

    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        let len = content.len();
        let mut out = match len {
            0..0x80 => vec![tag, len as u8],
            _ => vec![tag, 0x82, (len >> 8) as u8, len as u8],
        };
        out.extend_from_slice(content);
        out
    }

    fn made(id: [u8; 3], critical: bool, value: &[u8]) -> Vec<u8> {
        let mut parts = tagged(OBJECT_IDENTIFIER, &id);
        if critical {
            parts.extend(tagged(BOOLEAN, &[0xff]));
        }
        parts.extend(tagged(OCTET_STRING, value));
        tagged(SEQUENCE, &parts)
    }

    fn usage(critical: bool, bits: u8) -> Vec<u8> {
        made(KEY_USAGE, critical, &tagged(BIT_STRING, &[1, bits]))
    }

    fn constraints(authority: bool) -> Vec<u8> {
        let content = if authority {
            tagged(BOOLEAN, &[0xff])
        } else {
            Vec::new()
        };
        made(BASIC_CONSTRAINTS, true, &tagged(SEQUENCE, &content))
    }

    #[test]
    fn the_bit_decides_and_silence_allows() {
        let other = made(BASIC_CONSTRAINTS, false, &[]);
        assert!(may_sign_certificates(&certificate(&[&other])));
        for critical in [false, true] {
            let signs = usage(critical, 0b0000_0110);
            let does_not = usage(critical, 0b1000_0000);
            assert!(may_sign_certificates(&certificate(&[&other, &signs])));
            assert!(!may_sign_certificates(&certificate(&[&other, &does_not])));
        }
    }

    #[test]
    fn only_authorities_issue() {
        let (signs, does_not) = (usage(true, 0b0000_0110), usage(true, 0b1000_0000));
        assert!(may_issue(&certificate(&[&constraints(true)])));
        assert!(may_issue(&certificate(&[&constraints(true), &signs])));
        assert!(!may_issue(&certificate(&[&constraints(true), &does_not])));
        assert!(!may_issue(&certificate(&[&constraints(false), &signs])));
        assert!(may_issue(&certificate(&[&signs])));
        assert!(!may_issue(&certificate(&[&does_not])));
        assert!(!may_issue(&certificate(&[])));
        let version_1 = tagged(SEQUENCE, &tagged(SEQUENCE, &tagged(0x02, &[1])));
        assert!(may_issue(&version_1));
        assert!(!may_issue(b"no certificate"));
    }

    #[test]
    fn a_purpose_that_is_not_named_is_excluded() {
        let usages = tagged(SEQUENCE, &tagged(OBJECT_IDENTIFIER, &CLIENT_AUTH));
        let client = certificate(&[&made(EXTENDED_KEY_USAGE, false, &usages)]);
        assert!(is_for(&client, Purpose::Client));
        assert!(!is_for(&client, Purpose::Server));
        assert!(is_for(&certificate(&[]), Purpose::Server));
    }

    #[test]
    fn what_is_cut_off_is_no_usage() {
        let whole = certificate(&[&usage(true, 0)]);
        for len in 0..whole.len() {
            assert_eq!(key_usage(&whole[..len]), None);
        }
        assert_eq!(key_usage(&whole), Some(0));
    }
}
