wasm::wit! {
    package demo:bad;
    interface things {
        frobnicate: fnc(x: u32) -> u32;
    }
    world bad { export things; }
}
