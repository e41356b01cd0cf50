//! Damaged modules, with fixed seeds: what is still valid is emitted as valid WebAssembly, or refused with a reason.

#[path = "support/targets.rs"]
mod targets;

use codegen_cranelift::{Options, emit_module, emit_object};
use std::path::Path;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// The modules of this crate's tests and of WasmIR's, each as text.
fn texts() -> Vec<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        "tests/wir",
        "../wasmir/tests/filetests/layout",
        "../wasmir/tests/filetests/link",
        "../wasmir/tests/filetests/passes",
        "../wasmir/tests/filetests/text",
        "../wasmir/tests/filetests/verify",
    ];
    let mut files: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(crates.join(folder)).expect("a folder of tests"))
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    files.sort();
    let mut texts = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).expect("a text");
        let source: String = text
            .lines()
            .filter(|line| !line.starts_with(';'))
            .map(|line| format!("{line}\n"))
            .collect();
        let modules = source.split("wasmir 1\n").skip(1);
        texts.extend(modules.map(|module| format!("wasmir 1\n{module}")));
    }
    texts
}

/// A few words of a text changed for others of the same text, or lines repeated or left out.
fn damage(random: &mut Random, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    for _ in 0..1 + random.below(3) {
        let at = 1 + random.below(lines.len().max(2) - 1);
        let Some(line) = lines.get(at).cloned() else {
            continue;
        };
        match random.below(6) {
            0 => {
                lines.remove(at);
            }
            1 => lines.insert(at, line),
            _ => {
                let mut own: Vec<&str> = line.split(' ').collect();
                let place = random.below(own.len());
                own[place] = words[random.below(words.len())];
                lines[at] = own.join(" ");
            }
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn damaged_texts() {
    let texts = texts();
    assert!(texts.len() > 30, "{}", texts.len());
    for text in &texts {
        targets::wir(text);
    }
    let mut random = Random(1);
    for _ in 0..4000 {
        let text = &texts[random.below(texts.len())];
        targets::wir(&damage(&mut random, text));
    }
}

#[test]
fn damaged_modules() {
    let mut all = Vec::new();
    for text in texts() {
        let Ok(module) = wasmir::parse_module(&text) else {
            continue;
        };
        if wasmir::verify_module(&module).is_err() {
            continue;
        }
        let options = Options::default();
        all.extend(match module.relocatable {
            true => emit_object(module, &options).ok(),
            false => emit_module(&module, &options).ok(),
        });
    }
    assert!(all.len() > 15, "{}", all.len());
    let mut random = Random(2);
    for _ in 0..4000 {
        let mut bytes = all[random.below(all.len())].clone();
        for _ in 0..1 + random.below(3) {
            let at = random.below(bytes.len());
            bytes[at] = match random.below(3) {
                0 => bytes[at] ^ 1 << random.below(8),
                1 => random.below(256) as u8,
                _ => bytes[at].wrapping_add(1),
            };
        }
        targets::wasm(&bytes);
    }
}
