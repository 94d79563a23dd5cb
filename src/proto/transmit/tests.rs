use super::*;
use crate::proto::testing::{KEY, Rng};

/// Takes everything out, `most` bytes at a time.
fn drain(queue: &mut TransmitQueue, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !queue.is_empty() {
        let mut slices = [IoSlice::new(&[]); 4];
        let filled = queue.io_slices(&mut slices);
        assert!(filled > 0 && slices[..filled].iter().all(|slice| !slice.is_empty()));
        let mut front: Vec<u8> = slices[..filled]
            .iter()
            .flat_map(|s| s.iter().copied())
            .collect();
        front.truncate(most);
        queue.advance(front.len());
        bytes.extend_from_slice(&front);
    }
    bytes
}

#[test]
fn small_pushes_leave_in_one_slice() {
    let mut queue = TransmitQueue::new();
    queue.push_copied(b"h1", b"one", None);
    queue.push_copied(b"h2", b"two", None);
    queue.push_raw(b"raw");
    assert_eq!(queue.len(), 13);
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(queue.io_slices(&mut slices), 1);
    assert_eq!(&*slices[0], b"h1oneh2tworaw");
    queue.advance(4);
    queue.push_raw(b"!");
    assert_eq!(drain(&mut queue, 3), b"eh2tworaw!");
    assert_eq!((queue.len(), queue.transmitted()), (0, 14));
}

#[test]
fn the_payload_is_masked_in_the_copy_across_segments() {
    let payload: Vec<u8> = (0..200_001).map(|i| i as u8).collect();
    let mut expected = payload.clone();
    apply_mask(&mut expected, KEY, 0);
    for before in [0, 5, SEGMENT_LEN - 3, SEGMENT_LEN - 1, SEGMENT_LEN] {
        let mut queue = TransmitQueue::new();
        queue.push_raw(&vec![9; before]);
        queue.push_copied(b"header", &payload, Some(KEY));
        assert_eq!(queue.len(), before + 6 + payload.len());
        assert!(
            queue
                .segments
                .iter()
                .all(|segment| segment.bytes().len() <= SEGMENT_LEN)
        );
        let bytes = drain(&mut queue, 10_000);
        assert_eq!(&bytes[..before], vec![9; before]);
        assert_eq!(&bytes[before..before + 6], b"header");
        assert!(bytes[before + 6..] == expected);
    }
}

#[test]
fn shared_payloads_are_not_copied() {
    let payload = Bytes::from(vec![7; 5000]);
    let mut queue = TransmitQueue::new();
    queue.push_raw(b"before");
    queue.push_shared(b"header", payload.clone());
    queue.push_raw(b"after");
    queue.push_shared(b"", Bytes::new());
    let mut slices = [IoSlice::new(&[]); 8];
    assert_eq!(queue.io_slices(&mut slices), 3);
    assert_eq!(&*slices[0], b"beforeheader");
    assert_eq!(slices[1].as_ptr(), payload.as_ptr());
    assert_eq!(&*slices[2], b"after");
    assert!(!payload.is_unique());
    queue.advance(12 + 4999);
    assert!(!payload.is_unique());
    queue.advance(1);
    assert!(payload.is_unique(), "written payloads are released at once");
    assert_eq!(drain(&mut queue, 2), b"after");
}

#[test]
fn a_drained_queue_keeps_no_memory() {
    let mut queue = TransmitQueue::new();
    queue.push_raw(&[1; 100]);
    drain(&mut queue, 1000);
    assert_eq!((queue.tail.capacity(), queue.segments.capacity()), (0, 0));
    queue.push_raw(&[1; 10_000]);
    queue.push_shared(b"h", Bytes::from_static(&[1; 100]));
    drain(&mut queue, 1000);
    assert_eq!((queue.tail.capacity(), queue.segments.capacity()), (0, 0));
    queue.push_raw(&[1; 100_000]);
    queue.advance(50);
    queue.clear();
    assert_eq!((queue.len(), queue.transmitted()), (0, 100 + 10_101 + 50));
    assert_eq!((queue.tail.capacity(), queue.segments.capacity()), (0, 0));
    queue.push_raw(b"next");
    assert_eq!(drain(&mut queue, 9), b"next");
}

#[test]
fn random_pushes_and_advances_keep_the_order() {
    let mut rng = Rng::new(4);
    let mut queue = TransmitQueue::new();
    let (mut pushed, mut taken) = (Vec::new(), Vec::new());
    for _ in 0..5000 {
        let most = [10, 300, 40_000][rng.below(3)];
        let len = rng.below(most);
        let payload = vec![rng.next() as u8; len];
        match rng.below(4) {
            0 => queue.push_shared(b"hd", Bytes::from(payload.clone())),
            1 => queue.push_copied(b"hd", &payload, None),
            _ => {
                let mut slices = [IoSlice::new(&[]); 3];
                let filled = queue.io_slices(&mut slices);
                let front: Vec<u8> = slices[..filled]
                    .iter()
                    .flat_map(|s| s.iter().copied())
                    .collect();
                let n = rng.below(front.len() + 1);
                taken.extend_from_slice(&front[..n]);
                queue.advance(n);
                continue;
            }
        }
        pushed.extend_from_slice(b"hd");
        pushed.extend_from_slice(&payload);
        assert_eq!(queue.len(), pushed.len() - taken.len());
    }
    taken.extend(drain(&mut queue, usize::MAX));
    assert!(taken == pushed);
}
