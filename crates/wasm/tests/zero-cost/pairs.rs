//! Pairs of functions: `NAME_wasm` uses the library, `NAME_plain` does not. Optimised, they must be the same.

use wasm::linear::Token;
use wasm::{ExternRef, FuncRef, Handle, SharedSlice, pod};

#[wasm::linear]
pub struct Txn {
    id: u32,
    open: Token<Self>,
}
impl Txn {
    fn new(id: u32) -> Self {
        Self { id, open: Token::new() }
    }
    #[wasm::consume]
    fn commit(self) -> u32 {
        let Self { id, open } = self;
        open.consume();
        id
    }
}
pub struct Plain {
    id: u32,
}
impl Plain {
    fn new(id: u32) -> Self {
        Self { id }
    }
    fn commit(self) -> u32 {
        self.id
    }
}

macro_rules! pair {
    ($wasm:ident $plain:ident ($($parameter:ident: $ty:ty),*) -> $result:ty { $with:expr } { $without:expr }) => {
        #[unsafe(no_mangle)]
        pub fn $wasm($($parameter: $ty),*) -> $result { $with }
        #[unsafe(no_mangle)]
        pub fn $plain($($parameter: $ty),*) -> $result { $without }
    };
}

pair!(loop_wasm loop_plain(n: u32) -> u32 {{
    let mut txn = Txn::new(0);
    for i in 0..n {
        let id = txn.commit();
        txn = Txn::new(id ^ (id << 3) ^ i);
    }
    txn.commit()
}} {{
    let mut txn = Plain::new(0);
    for i in 0..n {
        let id = txn.commit();
        txn = Plain::new(id ^ (id << 3) ^ i);
    }
    txn.commit()
}});

pair!(option_wasm option_plain(slot: u32) -> u32 {{
    let slot = if slot > 5 { Some(Txn::new(slot)) } else { None };
    slot.map_or(7, Txn::commit)
}} {{
    let slot = if slot > 5 { Some(Plain::new(slot)) } else { None };
    slot.map_or(7, Plain::commit)
}});

pair!(handle_wasm handle_plain(raw: u32) -> u32 {
    { let handle: Handle = Handle::from_raw(raw); handle.as_raw() ^ handle.into_raw().rotate_left(3) }
} {
    raw ^ raw.rotate_left(3)
});

pair!(chunks_wasm chunks_plain(data: &mut [u32]) -> () {
    for mut chunk in SharedSlice::new(data).chunks(64) {
        for (i, value) in chunk.iter_mut().enumerate() {
            *value += i as u32;
        }
    }
} {
    for chunk in data.chunks_mut(64) {
        for (i, value) in chunk.iter_mut().enumerate() {
            *value += i as u32;
        }
    }
});

pair!(get_wasm get_plain(data: &mut [u64], index: usize) -> u64 {
    SharedSlice::new(data).get(index).unwrap_or(0)
} {
    data.get(index).copied().unwrap_or(0)
});

pair!(bytes_wasm bytes_plain(value: &[u32; 4]) -> u8 {
    pod::bytes_of(value)[15]
} {
    // SAFETY: sixteen initialised bytes.
    unsafe { &*std::ptr::from_ref(value).cast::<[u8; 16]>() }[15]
});

pair!(load_wasm load_plain(bytes: &[u8; 8]) -> u64 {
    pod::from_bytes::<u64>(bytes).unwrap_or(0)
} {
    u64::from_ne_bytes(*bytes)
});

pair!(call_wasm call_plain(function: extern "C" fn(u32) -> u32, x: u32) -> u32 {
    FuncRef::new(function).get()(x)
} {
    function(x)
});

// Not the same: the oracle must see it.
pair!(differs_wasm differs_plain(x: u32) -> bool {
    ExternRef::<u8>::null().is_null() && x > 3
} {
    x > 3
});
