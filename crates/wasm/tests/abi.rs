//! The canonical ABI against itself, natively: what is lowered is lifted, what is stored is loaded, and every allocation is freed.
//!
//! The code under test is the code that runs in a component, with addresses of the host's width. An allocator that counts shows leaks and
//! double frees; values come from a generator with a fixed seed, so that a failure repeats.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Debug;
use wasm::abi::{FlatIn, FlatOut, Lift, Lower, LowerRef, MAX_FLAT_PARAMS, Release, Scratch};

struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    // The thread's storage may be gone while the thread ends.
    let _ = LIVE.try_with(|live| live.set(live.get() + change));
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Room for one stored value of any test's type.
#[repr(align(16))]
struct Memory([u8; 512]);

/// Sends a value through all ways in and out.
fn round_trip<T: Lower + LowerRef + Lift + Clone + PartialEq + Debug>(value: &T) {
    assert!(T::SIZE <= 512 && T::ALIGN <= 8 && T::SIZE.is_multiple_of(T::ALIGN));
    let before = LIVE.get();
    let mut memory = Memory([0xaa; 512]);
    let at = memory.0.as_mut_ptr();

    if T::FLAT <= MAX_FLAT_PARAMS {
        // As an export's result or a host's argument: handed over.
        for by_ref in [false, true] {
            let (mut out, mut scratch) = (FlatOut::default(), Scratch::handing_over());
            if by_ref {
                value.lower_ref(&mut out, &mut scratch)
            } else {
                value.clone().lower(&mut out, &mut scratch)
            }
            // SAFETY: the slots hold a `T` that was just lowered.
            let back = unsafe { T::lift(&mut FlatIn::new(out.slots())) };
            assert_eq!(back, *value);
        }
    }
    // SAFETY: the memory is large and aligned enough; each stored value is loaded or released once.
    unsafe {
        value.clone().store(at, &mut Scratch::handing_over());
        assert_eq!(T::load(at), *value);
        value.store_ref(at, &mut Scratch::handing_over());
        assert_eq!(T::load(at), *value);
        // As an export's result after the call.
        value.clone().store(at, &mut Scratch::handing_over());
        T::release(at);
        value.store_ref(at, &mut Scratch::handing_over());
        T::release(at);
    }
    assert!(
        memory.0[T::SIZE..].iter().all(|byte| *byte == 0xaa),
        "nothing is written past the value"
    );
    // As an import's argument: ours again after the call.
    for by_ref in [false, true] {
        let mut scratch = Scratch::keeping();
        // SAFETY: as above; the scratch frees what was stored.
        unsafe {
            if by_ref {
                value.store_ref(at, &mut scratch)
            } else {
                value.clone().store(at, &mut scratch)
            }
        }
        scratch.free();
    }
    assert_eq!(LIVE.get(), before, "all memory was freed: {value:?}");
}

#[derive(wasm::Record, Clone, Debug, PartialEq)]
struct Point {
    x: i8,
    y: f64,
    name: String,
}

#[derive(wasm::Variant, Clone, Debug, PartialEq)]
enum Shape {
    Empty,
    Small(u8),
    Real(f32),
    Pair(u64, Point),
    Many(Vec<Point>),
}

#[derive(wasm::Enum, Clone, Copy, Debug, PartialEq)]
enum Color {
    Red,
    Green,
    Blue,
}

#[derive(wasm::Flags, Clone, Copy, Debug, PartialEq)]
struct Modes {
    read: bool,
    write: bool,
}

#[derive(wasm::Record, Clone, Debug, PartialEq)]
struct Deep<T> {
    first: Option<Result<T, Shape>>,
    rest: Vec<(bool, char, T)>,
    modes: Modes,
    colors: Vec<Color>,
    last: Box<Shape>,
}

/// xorshift
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        // With spare capacity now and then, for an exact one would hide a wrong size at the free.
        let mut list = Vec::with_capacity(self.below(9) as usize);
        for _ in 0..self.below(5) {
            list.push(item(self));
        }
        list
    }

    fn text(&mut self) -> String {
        self.list(|random| ['a', 'ß', '世', '😀', '\0'][random.below(5) as usize])
            .into_iter()
            .collect()
    }

    fn point(&mut self) -> Point {
        Point {
            x: self.next() as i8,
            y: self.next() as f64 / 3.0,
            name: self.text(),
        }
    }

    fn shape(&mut self) -> Shape {
        match self.below(5) {
            0 => Shape::Empty,
            1 => Shape::Small(self.next() as u8),
            2 => Shape::Real(self.next() as f32),
            3 => Shape::Pair(self.next(), self.point()),
            _ => Shape::Many(self.list(Self::point)),
        }
    }

    fn deep<T>(&mut self, mut item: impl FnMut(&mut Self) -> T) -> Deep<T> {
        let first = match self.below(3) {
            0 => None,
            1 => Some(Ok(item(self))),
            _ => Some(Err(self.shape())),
        };
        Deep {
            first,
            rest: self.list(|random| (random.below(2) == 0, 'x', item(random))),
            modes: Modes {
                read: self.below(2) == 0,
                write: self.below(2) == 0,
            },
            colors: self
                .list(|random| [Color::Red, Color::Green, Color::Blue][random.below(3) as usize]),
            last: Box::new(self.shape()),
        }
    }
}

#[test]
fn extremes_of_every_primitive() {
    for value in [0, 1, u8::MAX] {
        round_trip(&value);
        round_trip(&(value as i8));
    }
    for value in [0, u16::MAX, 0x8000] {
        round_trip(&value);
        round_trip(&(value as i16));
    }
    for value in [0, u32::MAX, 1 << 31] {
        round_trip(&value);
        round_trip(&(value as i32));
    }
    for value in [0, u64::MAX, 1 << 63] {
        round_trip(&value);
        round_trip(&(value as i64));
    }
    for value in [0.0, -0.0, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX] {
        round_trip(&value);
        round_trip(&(value as f32));
    }
    for value in ['\0', 'a', '\u{d7ff}', '\u{e000}', char::MAX] {
        round_trip(&value);
    }
    round_trip(&true);
    round_trip(&false);
    round_trip(&());
}

#[test]
fn random_values_of_nested_types() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for _ in 0..500 {
        round_trip(&random.text());
        round_trip(&random.list(Random::next));
        round_trip(&random.list(Random::text));
        round_trip(&random.list(|random| random.list(Random::shape)));
        round_trip(&random.point());
        round_trip(&random.shape());
        round_trip(&Some(random.shape()));
        round_trip(&None::<Shape>);
        round_trip(&Ok::<_, ()>(random.point()));
        round_trip(&Err::<(), _>(random.text()));
        round_trip(&random.deep(Random::point));
        round_trip(&random.deep(|random| random.next() as u16));
        round_trip(&(
            random.next() as u8,
            random.text(),
            random.shape(),
            random.next() as i32,
        ));
    }
}

#[test]
fn malformed_values_panic_rather_than_misbehave() {
    let panics = |words: [u64; 2], lift: fn(&mut FlatIn)| {
        let mut slots = [0; 17];
        slots[..2].copy_from_slice(&words);
        std::panic::catch_unwind(move || lift(&mut FlatIn::new(slots))).is_err()
    };
    // SAFETY: none of these reads memory.
    unsafe {
        assert!(
            panics([0xd800, 0], |from| {
                let _ = char::lift(from);
            }),
            "a surrogate"
        );
        assert!(
            panics([0x11_0000, 0], |from| {
                let _ = char::lift(from);
            }),
            "past the last character"
        );
        assert!(
            panics([3, 0], |from| {
                let _ = Color::lift(from);
            }),
            "a case too many"
        );
        assert!(
            panics([2, 0], |from| {
                let _ = <Result<u8, u8>>::lift(from);
            }),
            "neither `ok` nor `err`"
        );
        assert!(!panics([2, 0], |from| {
            let _ = Color::lift(from);
        }));
    }
}

/// A planted mistake must be seen: this is what the test above would say of code that forgets to free.
#[test]
fn the_counter_sees_a_leak() {
    let before = LIVE.get();
    let mut memory = Memory([0; 512]);
    // SAFETY: the memory is large enough; the value is released below.
    unsafe {
        "leaked"
            .to_owned()
            .store(memory.0.as_mut_ptr(), &mut Scratch::handing_over());
        assert_eq!(LIVE.get(), before + 6);
        String::release(memory.0.as_mut_ptr());
    }
    assert_eq!(LIVE.get(), before);
}
