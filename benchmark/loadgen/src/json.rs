//! JSON text of an exact length, such as an API sends: what is worth compressing.

use crate::random::Random;

/// The least length that has room for the numbers of a message.
pub const MIN_LEN: usize = 80;

/// Longer documents repeat their records under new ids, as a long list does. Together they are
/// nearly as long as the window of a compressor, so that a shorter document repeats none.
const DISTINCT_RECORDS: usize = 180;

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Bruno", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hana", "Ines", "Jonas", "Keiko",
    "Liam", "Marta", "Noor", "Olga", "Pavel",
];
const LAST_NAMES: [&str; 16] = [
    "Almeida",
    "Brandt",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "Okafor",
    "Petrov",
];
const STATES: [&str; 5] = ["active", "pending", "shipped", "returned", "cancelled"];
const WORDS: [&str; 8] = [
    "delivery", "invoice", "order", "paid", "please", "send", "the", "week",
];

/// A document of `len` bytes, at least [`MIN_LEN`], with the numbers of a connection and of one of
/// its messages. The same numbers give the same document.
pub fn document(connection: u32, message: u32, len: usize) -> Vec<u8> {
    const END: &str = "],\"note\":\"";
    const CLOSE: &str = "\"}";
    let seed = u64::from(connection) << 32 | u64::from(message);
    let mut random = Random::new((seed ^ 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1));
    let mut text = format!("{{\"connection\":{connection},\"message\":{message},\"items\":[");
    let mut id = 100_000 + random.below(900_000);
    // As in a list of what happened lately: the records share most of their time.
    let hour = format!(
        "2024-{:02}-{:02}T{:02}",
        1 + random.below(12),
        1 + random.below(28),
        random.below(24)
    );
    let mut bodies: Vec<String> = Vec::new();
    for number in 0.. {
        if number < DISTINCT_RECORDS {
            bodies.push(body(&mut random, &hour));
        }
        id += 1 + random.below(9);
        let comma = if number > 0 { "," } else { "" };
        let record = format!(
            "{comma}{{\"id\":{id},{}}}",
            bodies[number % DISTINCT_RECORDS]
        );
        if text.len() + record.len() + END.len() + CLOSE.len() > len {
            break;
        }
        text.push_str(&record);
    }
    text.push_str(END);
    while text.len() + CLOSE.len() < len {
        let word = random.pick(&WORDS);
        let room = len - CLOSE.len() - text.len();
        text.push_str(&word[..word.len().min(room)]);
        if room > word.len() {
            text.push(' ');
        }
    }
    text.push_str(CLOSE);
    text.into_bytes()
}

/// The fields of a record besides its id.
fn body(random: &mut Random, hour: &str) -> String {
    let (first, last) = (random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES));
    format!(
        "\"type\":\"order\",\"customer\":\"{first} {last}\",\"state\":\"{}\",\"amount\":{}.{:02},\
         \"currency\":\"EUR\",\"createdAt\":\"{hour}:{:02}:{:02}Z\",\"express\":{},\"comment\":null",
        random.pick(&STATES),
        random.below(500),
        random.below(20) * 5,
        random.below(60),
        random.below(60),
        random.below(4) == 0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_ascii_of_the_length_asked_for() {
        for len in [MIN_LEN, 81, 100, 128, 240, 241, 1023, 1024, 16_384, 100_000] {
            let document = document(u32::MAX, u32::MAX, len);
            let text = std::str::from_utf8(&document).unwrap();
            assert_eq!(text.len(), len);
            assert!(text.is_ascii());
            assert!(text.starts_with("{\"connection\":4294967295,\"message\":4294967295,"));
            assert!(text.ends_with("\"}"));
            let count = |c| text.matches(c).count();
            assert_eq!(count('{'), count('}'), "{text}");
            assert_eq!(count('"') % 2, 0, "{text}");
        }
    }

    #[test]
    fn documents_differ_by_connection_and_message() {
        let first = document(1, 2, 1024);
        assert_eq!(first, document(1, 2, 1024));
        assert_ne!(first, document(1, 3, 1024));
        // Not in their numbers alone.
        assert_ne!(first[100..], document(2, 2, 1024)[100..]);
    }
}
