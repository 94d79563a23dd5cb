//! A stream that somebody else reads and writes, such as a Duplex of JavaScript's: what arrives is
//! fed in, what is to go out is picked up and confirmed when it is gone.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::task::{Context, Poll, Waker};

/// Bytes that were picked up, or wait to be, and are not confirmed: beyond this nothing is taken.
pub const WINDOW: usize = 256 * 1024;

/// Consumption is reported in steps of at least this. Who feeds stops at twice as much.
pub const CONSUMED_STEP: usize = 128 * 1024;

#[derive(Debug, Default)]
pub struct Relay {
    /// Fed in; the first `taken` bytes are consumed.
    incoming: Vec<u8>,
    taken: usize,
    end: Option<End>,
    /// Consumed and not reported.
    consumed: usize,
    outgoing: Vec<u8>,
    unconfirmed: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer will send nothing more.
    Eof,
    /// The stream is gone in both directions.
    Gone,
}

impl Relay {
    /// Bytes that arrived. Nothing counts after the end.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.end.is_none() {
            self.incoming.extend_from_slice(bytes);
        }
    }

    pub fn feed_end(&mut self, end: End) {
        if self.end != Some(End::Gone) {
            self.end = Some(end);
        }
    }

    pub fn is_gone(&self) -> bool {
        self.end == Some(End::Gone)
    }

    /// The next chunk; the end comes behind all that was fed.
    pub fn poll_receive<'a>(
        &mut self,
        space: &'a mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<&'a mut [u8]>> {
        let rest = &self.incoming[self.taken..];
        if rest.is_empty() {
            return match self.end {
                None => Poll::Pending,
                Some(End::Eof) => Poll::Ready(Ok(&mut [])),
                Some(End::Gone) => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            };
        }
        // memory is always ready
        let mut memory = Context::from_waker(Waker::noop());
        let received = super::poll_read_into(&mut &*rest, &mut memory, space);
        if let Poll::Ready(Ok(chunk)) = &received {
            self.taken += chunk.len();
            self.consumed += chunk.len();
        }
        if self.taken == self.incoming.len() {
            self.incoming = Vec::new();
            self.taken = 0;
        }
        received
    }

    /// Takes over what the window has room for.
    pub fn poll_write(&mut self, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.is_gone() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = WINDOW.saturating_sub(self.in_flight());
        let mut taken = 0;
        for slice in slices {
            let len = slice.len().min(room - taken);
            self.outgoing.extend_from_slice(&slice[..len]);
            taken += len;
        }
        if taken == 0 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(taken))
    }

    /// What is to be written now; it counts as in flight until it is confirmed.
    pub fn pick_up(&mut self) -> Vec<u8> {
        self.unconfirmed += self.outgoing.len();
        std::mem::take(&mut self.outgoing)
    }

    /// `bytes` more are written.
    pub fn confirm(&mut self, bytes: usize) {
        self.unconfirmed = self.unconfirmed.saturating_sub(bytes);
    }

    /// Bytes taken over and not known to be written.
    pub fn in_flight(&self) -> usize {
        self.outgoing.len() + self.unconfirmed
    }

    /// What was consumed since the last report, if it is worth one.
    pub fn report_consumed(&mut self) -> Option<usize> {
        (self.consumed >= CONSUMED_STEP).then(|| std::mem::take(&mut self.consumed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(relay: &mut Relay, most: usize) -> Option<Vec<u8>> {
        let mut space = vec![MaybeUninit::uninit(); most];
        match relay.poll_receive(&mut space) {
            Poll::Ready(chunk) => chunk.ok().map(|chunk| chunk.to_vec()),
            Poll::Pending => None,
        }
    }

    #[test]
    fn the_end_comes_behind_what_was_fed() {
        let mut relay = Relay::default();
        relay.feed(b"abc");
        relay.feed(b"de");
        relay.feed_end(End::Eof);
        relay.feed(b"late");
        assert_eq!(receive(&mut relay, 2).unwrap(), b"ab");
        assert_eq!(receive(&mut relay, 9).unwrap(), b"cde");
        assert_eq!(receive(&mut relay, 9).unwrap(), b"");
        relay.feed_end(End::Gone);
        relay.feed_end(End::Eof);
        assert!(relay.is_gone());
        assert!(matches!(relay.poll_receive(&mut []), Poll::Ready(Err(_))));
    }

    #[test]
    fn no_more_goes_out_than_the_window_holds() {
        let mut relay = Relay::default();
        let bytes = vec![1; WINDOW];
        let slices = [IoSlice::new(&bytes), IoSlice::new(b"more")];
        assert!(matches!(relay.poll_write(&slices), Poll::Ready(Ok(WINDOW))));
        assert!(relay.poll_write(&slices[1..]).is_pending());
        assert_eq!(relay.pick_up().len(), WINDOW);
        assert!(relay.poll_write(&slices[1..]).is_pending());
        relay.confirm(3);
        assert!(matches!(relay.poll_write(&slices[1..]), Poll::Ready(Ok(3))));
        assert_eq!(relay.in_flight(), WINDOW);
    }

    #[test]
    fn consumption_is_reported_in_steps() {
        let mut relay = Relay::default();
        relay.feed(&vec![0; CONSUMED_STEP + 1]);
        receive(&mut relay, CONSUMED_STEP - 1);
        assert_eq!(relay.report_consumed(), None);
        receive(&mut relay, 2);
        assert_eq!(relay.report_consumed(), Some(CONSUMED_STEP + 1));
        assert_eq!(relay.report_consumed(), None);
    }
}
