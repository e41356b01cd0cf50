//! Modules with random damage, with fixed seeds: refused, or lifted to what is valid. The body of the fuzz target.

mod support;

use std::path::Path;
use support::targets;

#[test]
fn damaged_modules_are_lifted_or_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lift");
    let files = std::fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wat"));
    paths.sort();
    assert!(!paths.is_empty());
    let mut state = 0x853c_49e6_748f_ea9b_u64;
    let mut random = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound as u64) as usize
    };
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a file");
        let wasm = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"));
        targets::bytes(&wasm);
        for _ in 0..1500 {
            let mut bytes = wasm.clone();
            for _ in 0..=random(3) {
                let at = 8 + random(bytes.len() - 8);
                match random(5) {
                    0 => bytes.truncate(at.max(9)),
                    1 => bytes[at] ^= 1 << random(8),
                    2 => bytes[at] = random(256) as u8,
                    3 => bytes[at] = bytes[random(bytes.len())],
                    _ => {
                        bytes.remove(at);
                        bytes.push(0);
                    }
                }
            }
            targets::bytes(&bytes);
        }
    }
}
