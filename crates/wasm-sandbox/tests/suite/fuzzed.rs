//! The bodies of the fuzz targets, on fixed seeds: good inputs, damaged a little.

use crate::fixtures::{COMPONENT, MESSAGES, core, wat};
use crate::values::Random;

#[path = "../../fuzz/bodies.rs"]
#[expect(
    unreachable_pub,
    reason = "the fuzz targets use the same file as a public module"
)]
mod bodies;

/// `seed` with a few bytes changed, cut, doubled or moved.
fn damage(random: &mut Random, seed: &[u8]) -> Vec<u8> {
    let mut data = seed.to_vec();
    for _ in 0..=random.below(4) {
        if data.is_empty() {
            return vec![random.next() as u8];
        }
        let at = random.below(data.len());
        match random.below(6) {
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = random.next() as u8,
            2 => data.truncate(at),
            3 => data.insert(at, random.next() as u8),
            4 => {
                let tail = data.split_off(at);
                data.extend_from_slice(&tail);
                data.extend_from_slice(&tail[..tail.len().min(16)]);
            }
            _ => {
                data.remove(at);
            }
        }
    }
    data
}

fn run(rounds: usize, seeds: &[Vec<u8>], body: impl Fn(&[u8])) {
    let mut random = Random(0xf022);
    for round in 0..rounds {
        let seed = &seeds[round % seeds.len()];
        body(&damage(&mut random, seed));
    }
    seeds.iter().for_each(|seed| body(seed));
}

#[test]
fn sections() {
    let texts = ["echo=json\nsum=msgpack\nblob=raw\n", "a=b=json\n", ""];
    let mut seeds: Vec<_> = texts.map(|text| text.as_bytes().to_vec()).into();
    seeds.push(wat(MESSAGES));
    run(20_000, &seeds, bodies::section);
}

#[test]
fn frames() {
    let request = [
        &[1u8, 7, 0, 0, 0, 0, 0, 0, 0, 3, 0][..],
        b"add",
        &[0x92, 1, 2],
    ]
    .concat();
    let seeds = [
        vec![0, 0x93, 1, 0xc0, 0xa1, b'x'],
        request,
        vec![2, 1, 0, 0, 0, 0, 0, 0, 0, 5],
        vec![3; 12],
    ];
    run(20_000, &seeds, bodies::frame);
}

#[test]
fn values() {
    let text = r#"{"a-list":[1,-2],"maybe":null,"one-of":{"some":"c"},"either":{"ok":5},"set":["x"],"pair":[true,0.5]}"#;
    let other = r#"{"aList":[],"maybe":"m","one_of":"none","either":{"err":null},"set":3,"pair":[false,1]}"#;
    run(20_000, &[text.into(), other.into()], bodies::json);
}

#[test]
fn modules() {
    let runtimes = bodies::Runtimes::new();
    let core = wat(&core(wasm_sandbox::Backend::Wasmi));
    run(400, &[core, wat(MESSAGES), wat(COMPONENT)], |data| {
        runtimes.module(data)
    });
}
