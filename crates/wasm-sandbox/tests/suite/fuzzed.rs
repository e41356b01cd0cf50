//! The bodies of the fuzz targets, on fixed seeds: good inputs, damaged a little. `FUZZ_FACTOR` multiplies the
//! rounds, for a campaign without instrumentation.

use crate::fixtures::{COMPONENT, MESSAGES, core, wat};
use crate::values::Random;

#[path = "../../fuzz/lib.rs"]
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
    let factor = std::env::var("FUZZ_FACTOR").map_or(1, |text| text.parse().expect("a number"));
    let mut random = Random(0xf022);
    for round in 0..rounds * factor {
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

/// What the guest's record looks like in memory when everything in it is right.
fn record() -> Vec<u8> {
    let mut record = vec![0; 128];
    record[0] = 1;
    record[4] = b'c';
    record[12..16].copy_from_slice(&32768u32.to_le_bytes());
    record[16] = 4;
    record
}

#[test]
fn lifted_values() {
    let maker = bodies::Maker::new();
    run(1_500, &[record(), vec![0; 128], vec![1; 256]], |data| {
        maker.lift(data);
    });
}

#[test]
fn messages() {
    let maker = bodies::Maker::new();
    let bytes = [&[0x91, 0xc5, 0, 128][..], &record()].concat();
    let named = [&[0x81, 0xa5][..], b"bytes", &[0x93, 1, 2, 3]].concat();
    run(1_500, &[bytes, named, vec![0x91; 64]], |data| {
        maker.msgpack(data);
    });
}
