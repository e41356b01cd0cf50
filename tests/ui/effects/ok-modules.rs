#![deny(warnings)]
//! Modules, imports and exports.

#[wasm::effect(clock, billing)]
pub mod shop {
    //! With documentation of its own.
    use super::host;

    pub struct Item;
    impl Item {
        pub fn price(&self) -> u64 {
            host::now()
        }
    }
    pub mod inner {
        #[wasm::effect()]
        pub fn pure() -> u32 {
            4
        }
    }
    #[wasm::effect(billing)]
    pub fn pay(cents: u64) -> u64 {
        super::charge(cents)
    }
    #[wasm::import]
    #[wasm::effect(net)]
    pub mod remote {
        pub fn call() -> u32;
    }
    macro_rules! double {
        ($name:ident) => {
            pub fn $name(x: u32) -> u32 {
                x * 2
            }
        };
    }
    double!(twice);
}

#[wasm::import("acme:host/time@1.0.0")]
#[wasm::effect(clock)]
pub mod host {
    pub fn now() -> u64;
    #[wasm::effect()]
    pub fn zone() -> String;
    pub struct Timer;
    impl Timer {
        pub fn new() -> Self;
        #[wasm::effect(thread)]
        pub fn wait(&self);
        pub fn twice(&self) {
            self.wait();
            self.wait();
        }
    }
}

#[wasm::effect(billing)]
#[wasm::import]
fn charge(cents: u64) -> u64;

#[wasm::import]
#[wasm::effect(random)]
unsafe extern "C" {
    pub fn dice() -> u32;
    #[wasm::effect()]
    pub fn sides() -> u32;
}

#[wasm::effect(billing)]
#[wasm::export]
pub fn buy(cents: u64) -> u64 {
    shop::pay(cents)
}

#[wasm::export]
#[wasm::effect(clock)]
pub mod exported {
    pub fn now() -> u64 {
        super::host::now()
    }
    #[wasm::effect()]
    pub fn pure() -> u32 {
        3
    }
}

macro_rules! pure {
    ($name:ident) => {
        #[wasm::effect()]
        pub fn $name() {}
    };
}
pure!(first);
pure!(second);
