//! LEB128 writers: plain, padded to the five (or ten) bytes that relocations need, and how long they would be.

pub use wasmir::leb::{write_s64 as signed, write_u64 as unsigned};

/// Appends `value` in exactly `width` bytes, which must be enough.
pub fn unsigned_padded(out: &mut Vec<u8>, mut value: u64, width: usize) {
    for i in 0..width {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        out.push(if i + 1 < width { byte | 0x80 } else { byte });
    }
}

/// Appends the signed `value` in exactly `width` bytes, which must be enough.
pub fn signed_padded(out: &mut Vec<u8>, mut value: i64, width: usize) {
    for i in 0..width {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        out.push(if i + 1 < width { byte | 0x80 } else { byte });
    }
}

/// The number of bytes of [`unsigned`].
pub fn unsigned_len(value: u64) -> u32 {
    (64 - (value | 1).leading_zeros()).div_ceil(7)
}

/// The number of bytes of [`signed`].
pub fn signed_len(value: i64) -> u32 {
    let magnitude = if value < 0 { !value } else { value } as u64;
    (65 - magnitude.leading_zeros()).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_agree_with_the_writers() {
        for shift in 0..64 {
            for delta in -2i64..=2 {
                let v = (1i64 << shift).wrapping_add(delta);
                for v in [v, v.wrapping_neg()] {
                    let mut out = vec![];
                    signed(&mut out, v);
                    assert_eq!(out.len() as u32, signed_len(v), "{v}");
                    out.clear();
                    unsigned(&mut out, v as u64);
                    assert_eq!(out.len() as u32, unsigned_len(v as u64), "{v}");
                }
            }
        }
    }
}
