//! Shared slices: parts cover the whole and do not overlap, whatever the sizes; casts keep every byte.

use wasm::shared::{CastError, OutOfBounds};
use wasm::{Pod, SharedSlice, pod};

/// A generator with a fixed seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

#[test]
fn chunks_cover_the_slice_once_and_in_order() {
    let mut random = Random(1);
    for _ in 0..2000 {
        let len = random.below(200);
        let size = 1 + random.below(60);
        let mut values = vec![0u32; len];
        let chunks = SharedSlice::new(&mut values).chunks(size);
        assert_eq!(chunks.len(), len.div_ceil(size));
        let mut seen = 0;
        for mut chunk in chunks {
            assert!(chunk.len() == size || seen + chunk.len() == len);
            for (i, value) in chunk.iter_mut().enumerate() {
                *value += (seen + i) as u32 + 1;
            }
            seen += chunk.len();
        }
        assert_eq!(seen, len);
        // Each element was reached exactly once, through the chunk it belongs to.
        assert!(
            values
                .iter()
                .zip(1..)
                .all(|(&value, expected)| value == expected)
        );
    }
}

#[test]
fn parts_are_as_many_as_asked_for_at_most() {
    let mut random = Random(2);
    for _ in 0..2000 {
        let (len, count) = (random.below(100), 1 + random.below(20));
        let mut values = vec![0u8; len];
        let lengths: Vec<usize> = SharedSlice::new(&mut values)
            .parts(count)
            .map(|part| part.len())
            .collect();
        assert!(lengths.len() <= count);
        assert_eq!(lengths.iter().sum::<usize>(), len);
        assert!(lengths.iter().all(|&length| length > 0));
    }
}

#[test]
fn splitting_and_access_check_their_bounds() {
    let mut values = [1u16, 2, 3];
    let mut slice = SharedSlice::new(&mut values);
    assert_eq!(slice.get(2), Ok(3));
    assert_eq!(slice.get(3), Err(OutOfBounds { index: 3, len: 3 }));
    assert_eq!(
        slice.set(usize::MAX, 9),
        Err(OutOfBounds {
            index: usize::MAX,
            len: 3
        })
    );
    slice.set(0, 7).unwrap();
    assert!(slice.reborrow().split_at(4).is_err());
    let (first, second) = slice.split_at(1).unwrap();
    assert_eq!(
        (first.as_slice(), second.as_slice()),
        (&[7u16][..], &[2, 3][..])
    );
    let error = first.get(1).unwrap_err().to_string();
    assert_eq!(
        error,
        "index 1 is out of bounds of a shared slice of length 1"
    );
}

#[test]
#[should_panic(expected = "the size of a chunk must be at least 1")]
fn empty_chunks_are_refused() {
    let _ = SharedSlice::new(&mut [0u8; 3]).chunks(0);
}

#[derive(Pod, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
struct Pair {
    a: u32,
    b: [u16; 2],
}

#[test]
fn casts_keep_every_byte_and_check_alignment_and_size() {
    let mut words = [0x0102_0304u32, 5, 6, 7];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let pairs = SharedSlice::new(&mut words).cast::<Pair>().unwrap();
    assert_eq!(pairs.len(), 2);
    assert_eq!(pairs.as_bytes(), bytes);
    assert_eq!(pod::from_bytes::<Pair>(&bytes[8..]), pairs.get(1).ok());
    assert_eq!(pod::bytes_of(&pairs.get(0).unwrap()), &bytes[..8]);

    let odd = SharedSlice::new(&mut words[..3]).cast::<Pair>();
    assert_eq!(
        odd.unwrap_err(),
        CastError::Remainder {
            size: 12,
            element: 8
        }
    );
    let all = SharedSlice::new(&mut words).cast::<u8>().unwrap();
    let (_, shifted) = all.split_at(1).unwrap();
    assert_eq!(
        shifted.cast::<u32>().unwrap_err(),
        CastError::Misaligned { align: 4 }
    );
    assert!(SharedSlice::new(&mut words).cast::<[u32; 0]>().is_err());
    assert!(SharedSlice::<u32>::new(&mut []).cast::<[u32; 0]>().is_ok());
}

#[test]
fn threads_work_on_parts() {
    let mut values: Vec<u64> = (0..10_000).collect();
    std::thread::scope(|scope| {
        for mut part in SharedSlice::new(&mut values).parts(4) {
            scope.spawn(move || part.iter_mut().for_each(|value| *value *= 3));
        }
    });
    assert!(values.iter().zip(0..).all(|(&value, i)| value == 3 * i));
}

#[test]
fn raw_memory() {
    let mut memory = vec![1u32, 2, 3, 4];
    // SAFETY: the vector's elements, which nobody else uses while the slice is alive.
    let mut slice = unsafe { SharedSlice::from_raw_parts(memory.as_mut_ptr(), memory.len()) };
    slice.as_mut_slice().reverse();
    assert_eq!(memory, [4, 3, 2, 1]);
}
