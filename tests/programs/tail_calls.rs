//! Guaranteed tail calls: no stack is used however many there are; through pointers, with aggregates, with frames of their own.
//@ flags: -Ctarget-feature=+tail-call
#![feature(explicit_tail_calls)]
#![allow(incomplete_features)]

fn count(left: u64, sum: u64) -> u64 {
    if left == 0 {
        return sum;
    }
    become count(left - 1, sum.wrapping_mul(31).wrapping_add(left))
}

fn even(n: u32) -> bool {
    if n == 0 { true } else { become odd(n - 1) }
}

fn odd(n: u32) -> bool {
    if n == 0 { false } else { become even(n - 1) }
}

/// A machine whose steps are functions.
type Step = fn(&mut Machine, i32) -> i32;

struct Machine {
    at: usize,
    program: Vec<Step>,
    trace: u64,
}

fn next(machine: &mut Machine, value: i32) -> i32 {
    let step = machine.program[machine.at % machine.program.len()];
    machine.at += 1;
    machine.trace = machine.trace.wrapping_mul(7).wrapping_add(value as u64);
    if machine.at > 300_000 {
        return value;
    }
    become step(machine, value)
}

fn add(machine: &mut Machine, value: i32) -> i32 {
    become next(machine, value.wrapping_add(3))
}

fn mix(machine: &mut Machine, value: i32) -> i32 {
    // An array that lies in this function's frame until the call.
    let mut parts = value.to_le_bytes();
    parts.sort_unstable();
    std::hint::black_box(&mut parts);
    become next(machine, i32::from_le_bytes(parts) ^ value)
}

/// Results through a hidden pointer, and two values at once.
fn wide(left: u32, sum: u128) -> u128 {
    if left == 0 { sum } else { become wide(left - 1, sum.wrapping_mul(3).wrapping_add(left as u128)) }
}

fn pair(left: u32, text: (u64, f64)) -> (u64, f64) {
    if left == 0 { text } else { become pair(left - 1, (text.0 + 1, text.1 * 1.00001)) }
}

fn main() {
    println!("{}", count(1_000_000, 1));
    println!("{} {}", even(500_001), odd(500_001));
    let mut machine = Machine { at: 0, program: vec![add, mix, add, add], trace: 0 };
    println!("{} {}", next(&mut machine, 5), machine.trace);
    println!("{}", wide(400_000, 1));
    println!("{:?}", pair(400_000, (0, 1.0)));
}
