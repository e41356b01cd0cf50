//! Properties of random modules and of mutated inputs, with fixed seeds.

mod support;

use support::random::{Rng, module};
use support::targets;
use wasmir::*;

const MODULES: u64 = 300;

#[test]
fn random_modules_survive_text_and_binary() {
    for seed in 0..MODULES {
        let m = module(&mut Rng(seed));
        assert_eq!(
            verify_module(&m),
            Ok(()),
            "seed {seed}:\n{}",
            print_module(&m)
        );
        let text = print_module(&m).to_string();
        let parsed = parse_module(&text).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{text}"));
        assert_eq!(parsed, m, "seed {seed}:\n{text}");
        assert_eq!(
            decode_module(&encode_module(&m)).as_ref(),
            Ok(&m),
            "seed {seed}"
        );
        targets::check(m);
    }
}

/// A few random edits of an input.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>, words: &[&[u8]]) {
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        match rng.below(5) {
            0 if at < bytes.len() => bytes[at] = rng.next() as u8,
            1 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            2 => {
                let end = (at + rng.below(8)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => bytes.truncate(at),
            _ => {
                let word = words[rng.below(words.len())];
                bytes.splice(at..at, word.iter().copied());
            }
        }
    }
}

#[test]
fn mutated_text_is_parsed_or_refused() {
    let everything = include_str!("filetests/text/everything.wir");
    let words: Vec<&[u8]> = everything.split_whitespace().map(str::as_bytes).collect();
    for seed in 0..3000 {
        let mut rng = Rng(seed);
        let text = match rng.below(3) {
            0 => print_module(&module(&mut rng)).to_string(),
            _ => everything.to_owned(),
        };
        let mut bytes = text.into_bytes();
        mutate(&mut rng, &mut bytes, &words);
        targets::text(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn mutated_objects_are_linked_or_refused() {
    let program = include_str!("filetests/layout/program.wir");
    let input = program.lines().filter(|line| !line.starts_with(';'));
    let input = input.fold(String::new(), |text, line| text + line + "\n");
    let words: Vec<&[u8]> = input.split_whitespace().map(str::as_bytes).collect();
    targets::link_text(&input);
    for seed in 0..6000 {
        let mut rng = Rng(seed);
        let mut bytes = input.clone().into_bytes();
        mutate(&mut rng, &mut bytes, &words);
        targets::link_text(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn mutated_binaries_are_read_or_refused() {
    let words: &[&[u8]] = &[
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0x80],
        &[0],
        &[1, 1],
        &[0x7f; 9],
    ];
    for seed in 0..4000 {
        let mut rng = Rng(seed);
        let mut bytes = encode_module(&module(&mut rng));
        mutate(&mut rng, &mut bytes, words);
        targets::binary(&bytes);
    }
}

#[test]
fn any_bytes_are_scanned_or_refused() {
    let body = [
        1, 1, 0x7f, 0x41, 0, 0x28, 0x42, 1, 8, 0x10, 3, 0x02, 2, 0x0b, 0xfc, 11, 0, 0xd0, 5, 0x0b,
    ];
    let words: &[&[u8]] = &[
        &[0xfb, 0x18],
        &[0x1f, 0x40, 2],
        &[0x0e, 3],
        &[0xfd, 0x54],
        &[0x11],
    ];
    for seed in 0..20_000 {
        let mut rng = Rng(seed);
        let mut bytes = body.to_vec();
        mutate(&mut rng, &mut bytes, words);
        targets::raw(&bytes);
    }
}
