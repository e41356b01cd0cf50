#![deny(warnings)]
//! What is plain data, and how threads share it.

#[derive(wasm::Pod, Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Sample {
    pub time: u64,
    pub value: f32,
    pub kind: u8,
    _padding: [u8; 3],
}
#[derive(wasm::Pod, Clone, Copy)]
#[repr(transparent)]
pub struct Meters(pub f64);
#[derive(wasm::Pod, Clone, Copy)]
#[repr(C, packed)]
pub struct Packed {
    pub a: u8,
    pub b: u32,
}
#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub struct Empty;
#[derive(wasm::Pod, Clone, Copy)]
#[repr(C)]
pub struct Nested {
    pub samples: [Sample; 2],
    pub length: Meters,
}
pub fn parallel(data: wasm::SharedSlice<'_, f32>) {
    std::thread::scope(|scope| {
        for mut chunk in data.chunks(1000) {
            scope.spawn(move || chunk.iter_mut().for_each(|value| *value += 1.0));
        }
    });
}
