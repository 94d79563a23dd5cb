//! What a thread lends to its connections: compressors, inflaters, and buffers for their output.

use std::cell::RefCell;

use zlib_rs::{Deflate, DeflateConfig, Inflate};

/// Compressors that a thread keeps, of all parameters together: 376 KiB each at the defaults.
/// One is in use at a time, and one more for each large message that is being compressed.
const SPARE_COMPRESSORS: usize = 4;

/// Inflaters that a thread keeps, about 42 KiB each. One is in use at a time, and one more for each
/// compressed message of which only a part has arrived.
const SPARE_INFLATERS: usize = 8;

/// Buffers of output that a thread keeps, and how much of one.
const SPARE_BUFFERS: usize = 2;
const SPARE_BUFFER_LEN: usize = 64 * 1024;

#[derive(Default)]
struct Pool {
    /// The one that was given last is at the end.
    compressors: Vec<(DeflateConfig, Box<Deflate>)>,
    #[expect(
        clippy::vec_box,
        reason = "a connection that holds none is to be small, and boxes move as they are"
    )]
    inflaters: Vec<Box<Inflate>>,
    buffers: Vec<Vec<u8>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// A compressor without history.
pub(super) fn take_compressor(config: DeflateConfig) -> Box<Deflate> {
    let spare = with_pool(|pool| {
        let at = pool
            .compressors
            .iter()
            .rposition(|(own, _)| *own == config)?;
        Some(pool.compressors.remove(at).1)
    });
    match spare.flatten() {
        Some(mut compressor) => {
            compressor.reset();
            compressor
        }
        None => Box::new(Deflate::new_with_config(config)),
    }
}

pub(super) fn give_compressor(config: DeflateConfig, compressor: Box<Deflate>) {
    with_pool(|pool| {
        if pool.compressors.len() == SPARE_COMPRESSORS {
            pool.compressors.remove(0);
        }
        pool.compressors.push((config, compressor));
    });
}

/// An inflater without history, for a window of any size: those of zlib-rs are all of 32 KiB.
pub(super) fn take_inflater() -> Box<Inflate> {
    match with_pool(|pool| pool.inflaters.pop()).flatten() {
        Some(mut inflater) => {
            inflater.reset(false);
            inflater
        }
        None => Box::new(Inflate::new(false, super::MAX_WINDOW_BITS)),
    }
}

pub(super) fn give_inflater(inflater: Box<Inflate>) {
    with_pool(|pool| {
        if pool.inflaters.len() < SPARE_INFLATERS {
            pool.inflaters.push(inflater);
        }
    });
}

/// An empty buffer.
pub(in crate::proto) fn take_buffer() -> Vec<u8> {
    with_pool(|pool| pool.buffers.pop())
        .flatten()
        .unwrap_or_default()
}

pub(in crate::proto) fn give_buffer(mut buffer: Vec<u8>) {
    with_pool(|pool| {
        if pool.buffers.len() < SPARE_BUFFERS && buffer.capacity() <= SPARE_BUFFER_LEN {
            buffer.clear();
            pool.buffers.push(buffer);
        }
    });
}

/// `None` while the thread ends: connections may outlive its pool.
fn with_pool<T>(work: impl FnOnce(&mut Pool) -> T) -> Option<T> {
    POOL.try_with(|pool| work(&mut pool.borrow_mut())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(level: i32) -> DeflateConfig {
        DeflateConfig {
            level,
            window_bits: -9,
            mem_level: 1,
            ..DeflateConfig::default()
        }
    }

    #[test]
    fn what_a_thread_keeps_is_bounded_and_goes_to_its_like() {
        for level in 0..9 {
            give_compressor(
                config(level),
                Box::new(Deflate::new_with_config(config(level))),
            );
            give_inflater(Box::new(Inflate::new(false, 15)));
        }
        for _ in 0..9 {
            give_inflater(Box::new(Inflate::new(false, 15)));
            give_buffer(Vec::with_capacity(10));
        }
        give_buffer(Vec::with_capacity(SPARE_BUFFER_LEN + 1));
        let levels = || {
            with_pool(|pool| {
                let levels = pool.compressors.iter().map(|(config, _)| config.level);
                levels.collect::<Vec<_>>()
            })
        };
        assert_eq!(levels().unwrap(), [5, 6, 7, 8], "the oldest went");
        take_compressor(config(6));
        take_compressor(config(1));
        assert_eq!(levels().unwrap(), [5, 7, 8]);
        with_pool(|pool| {
            assert_eq!(pool.inflaters.len(), SPARE_INFLATERS);
            assert_eq!(pool.buffers.len(), SPARE_BUFFERS);
        });
    }
}
