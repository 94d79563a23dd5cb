//! The one extension that webpki does not look at and OpenSSL does: whether the key of an authority
//! may sign certificates (RFC 5280 section 4.2.1.3).

/// DER tags: of a sequence, of an object identifier, of a boolean, of an octet string, of a bit
/// string, and of the extensions in a certificate.
const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
const BIT_STRING: u8 = 0x03;
const EXTENSIONS: u8 = 0xa3;

/// id-ce-keyUsage, 2.5.29.15.
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];

/// The bit keyCertSign, number 5, in the first byte.
const KEY_CERT_SIGN: u8 = 0x80 >> 5;

/// True also where nothing is said. `certificate`: DER that webpki has parsed.
pub fn may_sign_certificates(certificate: &[u8]) -> bool {
    key_usage(certificate).is_none_or(|usage| usage & KEY_CERT_SIGN != 0)
}

/// The first eight bits of the usage.
fn key_usage(certificate: &[u8]) -> Option<u8> {
    let (SEQUENCE, certificate, _) = element(certificate)? else {
        return None;
    };
    let (SEQUENCE, mut fields, _) = element(certificate)? else {
        return None;
    };
    loop {
        let (tag, content, rest) = element(fields)?;
        if tag == EXTENSIONS {
            let (SEQUENCE, extensions, _) = element(content)? else {
                return None;
            };
            return find(extensions);
        }
        fields = rest;
    }
}

fn find(mut extensions: &[u8]) -> Option<u8> {
    loop {
        let (_, extension, rest) = element(extensions)?;
        extensions = rest;
        let (OBJECT_IDENTIFIER, id, mut value) = element(extension)? else {
            continue;
        };
        if id != KEY_USAGE {
            continue;
        }
        if let Some((BOOLEAN, _, behind)) = element(value) {
            value = behind;
        }
        let (OCTET_STRING, value, _) = element(value)? else {
            return None;
        };
        let (BIT_STRING, bits, _) = element(value)? else {
            return None;
        };
        // the first byte counts the unused bits of the last
        return Some(bits.get(1).copied().unwrap_or(0));
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
            tagged(0x02, &[1]),
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

    fn usage(critical: bool, bits: u8) -> Vec<u8> {
        let mut parts = tagged(OBJECT_IDENTIFIER, &KEY_USAGE);
        if critical {
            parts.extend(tagged(BOOLEAN, &[0xff]));
        }
        parts.extend(tagged(OCTET_STRING, &tagged(BIT_STRING, &[1, bits])));
        tagged(SEQUENCE, &parts)
    }

    #[test]
    fn the_bit_decides_and_silence_allows() {
        let other = tagged(SEQUENCE, &tagged(OBJECT_IDENTIFIER, &[0x55, 0x1d, 0x13]));
        assert!(may_sign_certificates(&certificate(&[&other])));
        for critical in [false, true] {
            let signs = usage(critical, 0b0000_0110);
            let does_not = usage(critical, 0b1000_0000);
            assert!(may_sign_certificates(&certificate(&[&other, &signs])));
            assert!(!may_sign_certificates(&certificate(&[&other, &does_not])));
        }
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
