wasm::wit! {
    interface things {
        /// Documentation shifts nothing.
        make-it: func() -> vec<u32>;
    }
}
