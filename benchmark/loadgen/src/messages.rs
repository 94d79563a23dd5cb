//! What a connection of the echo mode sends, and what has to come back.

use std::rc::Rc;

use crate::deflate::Compressor;
use crate::deflated::Deflated;
use crate::extension::Agreed;
use crate::frame::Pool;
use crate::json;
use crate::options::Options;
use crate::plain::Plain;
use crate::receiver::Header;

/// Enough compressed messages that a server under context takeover, which knows the last 32 KiB,
/// does not find one whole in its history.
const ENOUGH_BYTES: usize = 64 * 1024;
const ENOUGH: usize = 16;
/// Long ones are fewer, because of the memory that they take.
const MOST_BYTES: usize = 4 << 20;

/// The messages of one connection, in bursts. Errors say what is wrong with an echo.
pub trait Messages {
    /// Goes on to the next burst; all echoes of the one before it have come.
    fn advance(&mut self);

    /// The masked frames of the burst.
    fn burst(&self) -> &[u8];

    /// Judges the header of the next echo.
    fn begin_echo(&mut self, header: Header) -> Result<(), String>;

    /// Judges the `bytes` at `offset` of its payload.
    fn take(&mut self, offset: usize, bytes: &[u8]) -> Result<(), String>;

    /// Its payload is complete.
    fn end_echo(&mut self) -> Result<(), String>;
}

/// Makes the messages of each connection, as the options have them.
pub struct Maker<'a> {
    options: &'a Options,
    pool: Rc<Pool>,
    compressor: Compressor,
}

impl<'a> Maker<'a> {
    pub fn new(options: &'a Options) -> Self {
        Self {
            options,
            pool: Pool::new(options.shape),
            compressor: Compressor::new(),
        }
    }

    /// Those of the connection `index`, compressed if that was `agreed` on.
    pub fn make(&mut self, index: usize, agreed: Option<Agreed>) -> Box<dyn Messages> {
        let depth = self.options.pipeline;
        self.make_some(index, agreed, depth, count_of(self.options.shape.size))
    }

    /// The same, of a connection that sends only one.
    pub fn make_one(&mut self, index: usize, agreed: Option<Agreed>) -> Box<dyn Messages> {
        self.make_some(index, agreed, 1, 1)
    }

    fn make_some(
        &mut self,
        index: usize,
        agreed: Option<Agreed>,
        depth: usize,
        count: usize,
    ) -> Box<dyn Messages> {
        let shape = self.options.shape;
        let index = index as u32;
        match agreed {
            None => {
                let verify_all = self.options.verify_all;
                Box::new(Plain::new(shape, &self.pool, index, depth, verify_all))
            }
            Some(agreed) => {
                let documents = (0..count.next_multiple_of(depth))
                    .map(|number| json::document(index, number as u32, shape.size))
                    .collect();
                let compressor = &mut self.compressor;
                Box::new(Deflated::new(documents, index, depth, agreed, compressor))
            }
        }
    }
}

/// How many compressed messages of this size are made for a connection.
fn count_of(size: usize) -> usize {
    let having = |bytes: usize| bytes / size.max(1);
    having(ENOUGH_BYTES)
        .max(ENOUGH)
        .min(having(MOST_BYTES))
        .max(2)
}
