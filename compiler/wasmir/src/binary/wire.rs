//! Values that can be written and read, and the macros that describe both at once.

use crate::leb::{Reader, Result, write_s64, write_u64};
use crate::module::Bytes;
use cranelift_entity::packed_option::{PackedOption, ReservedValue};
use cranelift_entity::{EntityRef, PrimaryMap};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// What is read from.
pub(crate) struct Source<'a> {
    pub(crate) reader: Reader<'a>,
    pub(crate) bytes: &'a Arc<[u8]>,
    /// Where the bodies lie that are passed over, if they are to be.
    pub(crate) skipped: Option<Vec<Range<usize>>>,
}

/// A value that can be written and read.
pub(crate) trait Wire: Sized {
    /// Appends the value; never zero bytes long, so that counts can be checked.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads a value.
    fn get(s: &mut Source<'_>) -> Result<Self>;
}

macro_rules! unsigned {
    ($($ty:ident $read:ident),*) => {$(
        impl Wire for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                write_u64(out, u64::from(*self));
            }
            fn get(s: &mut Source<'_>) -> Result<$ty> {
                s.reader.$read()
            }
        }
    )*};
}

unsigned!(u32 u32, u64 u64);

impl Wire for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }
    fn get(s: &mut Source<'_>) -> Result<u8> {
        s.reader.u8()
    }
}

impl Wire for u16 {
    fn put(&self, out: &mut Vec<u8>) {
        write_u64(out, u64::from(*self));
    }
    fn get(s: &mut Source<'_>) -> Result<u16> {
        let bad = s.reader.error("a number of 16 bits");
        u16::try_from(s.reader.u32()?).map_err(|_| bad)
    }
}

impl Wire for usize {
    fn put(&self, out: &mut Vec<u8>) {
        write_u64(out, *self as u64);
    }
    fn get(s: &mut Source<'_>) -> Result<usize> {
        let bad = s.reader.error("a number of this machine");
        usize::try_from(s.reader.u64()?).map_err(|_| bad)
    }
}

impl Wire for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        write_s64(out, *self);
    }
    fn get(s: &mut Source<'_>) -> Result<i64> {
        s.reader.s64()
    }
}

impl Wire for i32 {
    fn put(&self, out: &mut Vec<u8>) {
        write_s64(out, i64::from(*self));
    }
    fn get(s: &mut Source<'_>) -> Result<i32> {
        let bad = s.reader.error("a number of 32 bits");
        i32::try_from(s.reader.s64()?).map_err(|_| bad)
    }
}

impl Wire for u128 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn get(s: &mut Source<'_>) -> Result<u128> {
        let bad = s.reader.error("sixteen bytes");
        let bytes = s.reader.take(16)?.try_into().map_err(|_| bad)?;
        Ok(u128::from_le_bytes(bytes))
    }
}

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn get(s: &mut Source<'_>) -> Result<bool> {
        let bad = s.reader.error("0 or 1");
        match s.reader.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(bad),
        }
    }
}

impl<const N: usize> Wire for [u8; N] {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn get(s: &mut Source<'_>) -> Result<[u8; N]> {
        let bad = s.reader.error("a number of bytes");
        s.reader.take(N)?.try_into().map_err(|_| bad)
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        write_u64(out, self.len() as u64);
        out.extend_from_slice(self.as_bytes());
    }
    fn get(s: &mut Source<'_>) -> Result<String> {
        let len = s.reader.u32()?;
        let bad = s.reader.error("UTF-8");
        let bytes = s.reader.take(len as usize)?;
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| bad)
    }
}

impl Wire for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        write_u64(out, self.len() as u64);
        out.extend_from_slice(self);
    }
    fn get(s: &mut Source<'_>) -> Result<Bytes> {
        let len = s.reader.u32()? as usize;
        let start = s.reader.pos();
        s.reader.take(len)?;
        Bytes::slice(s.bytes, start..start + len).ok_or(s.reader.error("bytes"))
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn get(s: &mut Source<'_>) -> Result<Option<T>> {
        Ok(if bool::get(s)? {
            Some(T::get(s)?)
        } else {
            None
        })
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        write_u64(out, self.len() as u64);
        self.iter().for_each(|item| item.put(out));
    }
    fn get(s: &mut Source<'_>) -> Result<Vec<T>> {
        let len = s.reader.u32()? as usize;
        // An item takes at least a byte.
        if len > s.reader.remaining() {
            return Err(s.reader.error("a count that the input can hold"));
        }
        let mut items = Vec::with_capacity(len);
        for _ in 0..len {
            items.push(T::get(s)?);
        }
        Ok(items)
    }
}

impl<T: Wire> Wire for Box<[T]> {
    fn put(&self, out: &mut Vec<u8>) {
        write_u64(out, self.len() as u64);
        self.iter().for_each(|item| item.put(out));
    }
    fn get(s: &mut Source<'_>) -> Result<Box<[T]>> {
        Ok(Vec::get(s)?.into())
    }
}

impl<T: Wire> Wire for Box<T> {
    fn put(&self, out: &mut Vec<u8>) {
        T::put(self, out);
    }
    fn get(s: &mut Source<'_>) -> Result<Box<T>> {
        Ok(Box::new(T::get(s)?))
    }
}

impl<K: Wire + Ord, V: Wire> Wire for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        write_u64(out, self.len() as u64);
        for (key, value) in self {
            key.put(out);
            value.put(out);
        }
    }
    fn get(s: &mut Source<'_>) -> Result<Self> {
        Ok(Vec::get(s)?.into_iter().collect())
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }
    fn get(s: &mut Source<'_>) -> Result<(A, B)> {
        Ok((A::get(s)?, B::get(s)?))
    }
}

impl<K: EntityRef, V: Wire> Wire for PrimaryMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        write_u64(out, self.len() as u64);
        self.values().for_each(|item| item.put(out));
    }
    fn get(s: &mut Source<'_>) -> Result<PrimaryMap<K, V>> {
        Ok(Vec::get(s)?.into_iter().collect())
    }
}

impl<K: Wire + ReservedValue + Copy> Wire for PackedOption<K> {
    fn put(&self, out: &mut Vec<u8>) {
        self.expand().put(out);
    }
    fn get(s: &mut Source<'_>) -> Result<PackedOption<K>> {
        Ok(Option::get(s)?.into())
    }
}

/// Entities: their numbers, the reserved one excepted.
macro_rules! wire_entities {
    ($($ty:ident),*) => {$(
        impl Wire for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                self.as_u32().put(out);
            }
            fn get(s: &mut Source<'_>) -> Result<$ty> {
                let bad = s.reader.error("the number of an entity");
                match s.reader.u32()? {
                    u32::MAX => Err(bad),
                    number => Ok($ty::from_u32(number)),
                }
            }
        }
    )*};
}

/// Structs: their fields in order.
macro_rules! wire_struct {
    ($($ty:ident { $($field:ident),* })*) => {$(
        impl Wire for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$field.put(out);)*
            }
            fn get(s: &mut Source<'_>) -> Result<$ty> {
                Ok($ty { $($field: Wire::get(s)?),* })
            }
        }
    )*};
}

/// Enums: a byte for the variant, then its fields in order.
macro_rules! wire_enum {
    ($($ty:ident { $($tag:literal $variant:ident $(($($item:ident),*))? $({$($field:ident),*})?;)* })*) => {$(
        impl Wire for $ty {
            fn put(&self, out: &mut Vec<u8>) {
                match self {
                    $($ty::$variant $(($($item),*))? $({$($field),*})? => {
                        out.push($tag);
                        $($($item.put(out);)*)?
                        $($($field.put(out);)*)?
                    })*
                }
            }
            fn get(s: &mut Source<'_>) -> Result<$ty> {
                let bad = s.reader.error(concat!("a variant of ", stringify!($ty)));
                Ok(match s.reader.u8()? {
                    $($tag => {
                        $($(let $item = Wire::get(s)?;)*)?
                        $ty::$variant $(($($item),*))? $({$($field: Wire::get(s)?),*})?
                    })*
                    _ => return Err(bad),
                })
            }
        }
    )*};
}

pub(crate) use {wire_entities, wire_enum, wire_struct};
