use super::*;

type Kernel = (&'static str, fn(&mut [u8], [u8; 4]));

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn kernels() -> Vec<Kernel> {
    let mut kernels: Vec<Kernel> = vec![("scalar", scalar), ("wide", wide)];
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 processor has SSE2.
        kernels.push(("sse2", |data, key| unsafe { x86::sse2(data, key) }));
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as just tested.
            kernels.push(("avx2", |data, key| unsafe { x86::avx2(data, key) }));
        }
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: every AArch64 target of Rust's standard library has NEON.
    kernels.push(("neon", |data, key| unsafe { arm::neon(data, key) }));
    kernels
}

fn naive(data: &mut [u8], key: [u8; 4], offset: usize) {
    for (i, byte) in data.iter_mut().enumerate() {
        *byte ^= key[(i + offset) % 4];
    }
}

fn sample(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 + 3) as u8).collect()
}

#[test]
fn every_kernel_agrees_with_the_naive_loop_at_all_lengths_and_alignments() {
    for (name, kernel) in kernels() {
        for alignment in 0..33 {
            for len in 0..300 {
                let mut expected = sample(alignment + len + 40);
                let mut actual = expected.clone();
                naive(&mut expected[alignment..alignment + len], KEY, 0);
                kernel(&mut actual[alignment..alignment + len], KEY);
                assert_eq!(actual, expected, "{name}: {len} bytes at {alignment}");
            }
        }
    }
}

#[test]
fn the_offset_rotates_the_key() {
    for offset in [0, 1, 2, 3, 4, 7, 1 << 20, usize::MAX] {
        for len in 0..300 {
            let mut expected = sample(len);
            let mut actual = expected.clone();
            naive(&mut expected, KEY, offset % 4);
            apply_mask(&mut actual, KEY, offset);
            assert_eq!(actual, expected, "{len} bytes from {offset}");
        }
    }
}

#[test]
fn pieces_make_the_whole() {
    let mut whole = sample(1000);
    apply_mask(&mut whole, KEY, 0);
    for cut in 0..1000 {
        let mut pieces = sample(1000);
        let (head, tail) = pieces.split_at_mut(cut);
        apply_mask(head, KEY, 0);
        apply_mask(tail, KEY, cut);
        assert_eq!(pieces, whole, "cut at {cut}");
    }
}

#[test]
fn rfc_example() {
    // RFC 6455 section 5.7: a masked "Hello"
    let mut data = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
    apply_mask(&mut data, KEY, 0);
    assert_eq!(&data, b"Hello");
}
