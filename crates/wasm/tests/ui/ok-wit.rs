//! Imports and exports in WIT's own syntax.

mod imports {
    wasm::wit! {
        /// Crypto.
        interface crypto {
            use types.{bytes};

            /// A pair of keys.
            resource key-pair {
                constructor(algorithm: string);
                sign: func(data: bytes) -> bytes;
            }

            hash-sha256: func(data: bytes) -> bytes;
        }

        interface types {
            type bytes = list<u8>;
        }
    }

    use crypto::{KeyPair, hash_sha256};

    #[wasm::export]
    fn sign_message(msg: &[u8]) -> Vec<u8> {
        let kp = KeyPair::new("ed25519");
        kp.sign(&hash_sha256(msg))
    }
}

mod exports_of_a_world {
    wasm::wit! {
        package demo:calc@1.0.0-rc.1;

        interface math {
            flags modes { fast, exact-one }
            record pair { a: u32, %record: u32 }
            add: func(p: pair, m: modes) -> u32;
            resource total { constructor(); push: func(x: u32) -> u32; }
        }

        world calc {
            export math;
            export greet: func(name: string) -> string;
        }
    }

    use exports::demo::calc::math::{Guest as Math, GuestTotal, Modes, Pair};

    struct Calculator;
    struct Total(core::cell::Cell<u32>);

    impl GuestTotal for Total {
        fn new() -> Self {
            Self(core::cell::Cell::new(0))
        }
        fn push(&self, x: u32) -> u32 {
            self.0.set(self.0.get() + x);
            self.0.get()
        }
    }

    impl Math for Calculator {
        type Total = Total;
        fn add(p: Pair, m: Modes) -> u32 {
            if m.contains(Modes::FAST) { p.a } else { p.a + p.record }
        }
    }

    impl Guest for Calculator {
        fn greet(name: String) -> String {
            name
        }
    }

    export!(Calculator);
}
