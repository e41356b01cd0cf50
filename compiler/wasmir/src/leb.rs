//! LEB128 numbers: written, and read within bounds from bytes that are not trusted.
//!
//! Everything of the compiler that reads WebAssembly piece by piece, or a format like it, does so by [`Reader`]; whole modules are
//! `wasmparser`'s.

/// A malformed or truncated encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where, in bytes from the start of the input.
    pub offset: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "malformed input at offset {}: expected {}",
            self.offset, self.expected
        )
    }
}

impl std::error::Error for Malformed {}

/// The result of reading.
pub type Result<T> = std::result::Result<T, Malformed>;

/// A cursor over bytes that are not trusted. After an error its place is somewhere in what could not be read.
///
/// ```
/// let mut reader = wasmir::leb::Reader::new(&[0xe5, 0x8e, 0x26, 2, b'h', b'i', 0x80]);
/// assert_eq!(reader.u32()?, 624_485);
/// assert_eq!(reader.name()?, b"hi");
/// assert!(reader.u32().is_err());
/// # Ok::<(), wasmir::Malformed>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, pos: 0 }
    }

    /// The place, in bytes from the start.
    pub fn pos(&self) -> usize {
        self.pos
    }

    /// Whether everything was read.
    pub fn at_end(&self) -> bool {
        self.pos == self.bytes.len()
    }

    /// How many bytes are left.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.pos
    }

    /// The error that says what was expected at this place.
    pub fn error(&self, expected: &'static str) -> Malformed {
        Malformed {
            offset: self.pos,
            expected,
        }
    }

    /// A byte.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn u8(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.pos).ok_or(self.error("a byte"))?;
        self.pos += 1;
        Ok(byte)
    }

    /// The next byte, which stays.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    /// The next `len` bytes.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let end = self
            .pos
            .checked_add(len)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(self.error("more bytes"))?;
        let bytes = &self.bytes[self.pos..end];
        self.pos = end;
        Ok(bytes)
    }

    /// An unsigned number of at most `bits` bits.
    fn unsigned(&mut self, bits: u32) -> Result<u64> {
        let (start, mut value, mut shift) = (self.pos, 0u64, 0);
        let bad = Malformed {
            offset: start,
            expected: "an unsigned LEB128 number",
        };
        loop {
            let byte = self.u8().map_err(|_| bad)?;
            if shift >= bits || (bits - shift < 7 && byte & 0x7f >= 1 << (bits - shift)) {
                return Err(bad);
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// A signed number of at most `bits` bits.
    fn signed(&mut self, bits: u32) -> Result<i64> {
        let (start, mut value, mut shift) = (self.pos, 0i64, 0);
        let bad = Malformed {
            offset: start,
            expected: "a signed LEB128 number",
        };
        loop {
            let byte = self.u8().map_err(|_| bad)?;
            if shift >= bits {
                return Err(bad);
            }
            if bits - shift < 7 {
                // The unused bits must repeat the sign.
                let unused = (byte as i8) << 1 >> (bits - shift);
                if byte & 0x80 != 0 || (unused != 0 && unused != -1) {
                    return Err(bad);
                }
            }
            value |= i64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                let fill = 64u32.saturating_sub(shift);
                return Ok(if shift < 64 {
                    value << fill >> fill
                } else {
                    value
                });
            }
        }
    }

    /// An unsigned number of at most 32 bits.
    ///
    /// # Errors
    /// If the bytes end before, or the number has more bits.
    pub fn u32(&mut self) -> Result<u32> {
        Ok(self.unsigned(32)? as u32)
    }

    /// An unsigned number of at most 64 bits.
    ///
    /// # Errors
    /// If the bytes end before, or the number has more bits.
    pub fn u64(&mut self) -> Result<u64> {
        self.unsigned(64)
    }

    /// A signed number of at most 33 bits, as block types and heap types are.
    ///
    /// # Errors
    /// If the bytes end before, or the number has more bits.
    pub fn s33(&mut self) -> Result<i64> {
        self.signed(33)
    }

    /// A signed number of at most 64 bits.
    ///
    /// # Errors
    /// If the bytes end before, or the number has more bits.
    pub fn s64(&mut self) -> Result<i64> {
        self.signed(64)
    }

    /// Bytes behind their number.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn name(&mut self) -> Result<&'a [u8]> {
        let len = self.u32()?;
        self.take(len as usize)
    }
}

/// Writes an unsigned number in as few bytes as possible.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

/// Writes a signed number in as few bytes as possible.
#[inline]
pub fn write_s64(out: &mut Vec<u8>, mut value: i64) {
    loop {
        let byte = (value & 0x7f) as u8;
        value >>= 7;
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, -1, 63, 64, -64, -65, 0x7fff_ffff, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            write_s64(&mut out, value);
            assert_eq!(Reader::new(&out).s64(), Ok(value));
            out.clear();
            write_u64(&mut out, value as u64);
            assert_eq!(Reader::new(&out).u64(), Ok(value as u64));
        }
    }

    #[test]
    fn overlong_and_truncated_numbers_are_refused() {
        assert!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x10]).u32().is_err());
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).u32(),
            Ok(u32::MAX)
        );
        assert!(Reader::new(&[0x80; 12]).u64().is_err());
        assert!(Reader::new(&[0x80]).u32().is_err());
        assert_eq!(
            Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x70]).s33(),
            Ok(-(1 << 32))
        );
        assert!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x20]).s33().is_err());
    }
}
