macro_rules! pure {
    ($name:ident, $effect:ident) => {
        #[wasm::effect($effect)]
        pub fn $name() {}
    };
}
pure!(first, io);
pure!(second, iO);
