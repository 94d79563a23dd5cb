//! Session tickets that end with `sessionTimeout` (RFC 5077, RFC 8446 section 4.6.1).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::Error;
use rustls::crypto::ring::Ticketer;
use rustls::server::ProducesTickets;

/// The tickets of rustls, whose keys change every six hours, with the time of issue inside.
#[derive(Debug)]
pub struct Tickets {
    sealed: Arc<dyn ProducesTickets>,
    lifetime: Duration,
}

impl Tickets {
    pub fn new(lifetime: Duration) -> Result<Self, Error> {
        Ok(Self {
            sealed: Ticketer::new()?,
            lifetime,
        })
    }
}

impl ProducesTickets for Tickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        let lifetime = u32::try_from(self.lifetime.as_secs()).unwrap_or(u32::MAX);
        self.sealed.lifetime().min(lifetime)
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut dated = now().to_be_bytes().to_vec();
        dated.extend_from_slice(plain);
        self.sealed.encrypt(&dated)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let dated = self.sealed.decrypt(cipher)?;
        let (issued, plain) = dated.split_first_chunk()?;
        let age = now().checked_sub(u64::from_be_bytes(*issued))?;
        (age < self.lifetime.as_secs()).then(|| plain.to_vec())
    }
}

/// Seconds of the Unix era.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_ends_with_its_lifetime() {
        let tickets = Tickets::new(Duration::from_secs(300)).unwrap();
        assert_eq!(tickets.lifetime(), 300);
        let ticket = tickets.encrypt(b"session").unwrap();
        assert_eq!(tickets.decrypt(&ticket).unwrap(), b"session");
        let expired = Tickets {
            sealed: tickets.sealed.clone(),
            lifetime: Duration::ZERO,
        };
        assert_eq!(expired.decrypt(&ticket), None);
        let other = Tickets::new(Duration::from_secs(300)).unwrap();
        assert_eq!(other.decrypt(&ticket), None);
    }
}
