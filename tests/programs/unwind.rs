//! Panics that unwind: what is caught, what is dropped and in which order, and what ends the program instead.
//@ unwind
use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{self, AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Says when it is dropped, and panics then if told to.
struct Noisy(&'static str, bool);

impl Drop for Noisy {
    fn drop(&mut self) {
        println!("  drop {}", self.0);
        if self.1 {
            panic!("dropping {}", self.0);
        }
    }
}

fn quiet(name: &'static str) -> Noisy {
    Noisy(name, false)
}

fn text(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        format!("&str {text:?}")
    } else if let Some(text) = payload.downcast_ref::<String>() {
        format!("String {text:?}")
    } else if let Some(number) = payload.downcast_ref::<u64>() {
        format!("u64 {number}")
    } else {
        "something else".to_owned()
    }
}

fn show<R: std::fmt::Debug>(what: &str, f: impl FnOnce() -> R) {
    println!("{what}:");
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => println!("  returned {value:?}"),
        Err(payload) => println!("  caught {}", text(&*payload)),
    }
}

#[inline(never)]
fn deep(depth: u32, log: &RefCell<Vec<u32>>) -> u64 {
    struct Leave<'a>(u32, &'a RefCell<Vec<u32>>);
    impl Drop for Leave<'_> {
        fn drop(&mut self) {
            self.1.borrow_mut().push(self.0);
        }
    }
    let _leave = Leave(depth, log);
    let mut big = [u64::from(depth); 64];
    if depth == 0 {
        panic!("at the bottom");
    }
    big[depth as usize % 64] += deep(depth - 1, log);
    big.iter().sum()
}

trait Act {
    fn act(&self, x: i32) -> i32;
}

struct Doubles;
struct Fails;

impl Act for Doubles {
    fn act(&self, x: i32) -> i32 {
        x * 2
    }
}

impl Act for Fails {
    fn act(&self, x: i32) -> i32 {
        let _held = quiet("held by a method");
        panic!("fails at {x}")
    }
}

/// Is ready when polled for the second time.
struct Later(bool);

impl Future for Later {
    type Output = ();
    fn poll(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn waits_and_panics() -> u32 {
    let _before = quiet("before the await");
    Later(false).await;
    let _after = quiet("after the await");
    panic!("in a future")
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
}

/// Values in several forms live over a call that unwinds.
#[inline(never)]
fn mixed(fail: bool) -> (u64, f64, i128, String) {
    let mut i = 7u64;
    let f = std::hint::black_box(1.5f64);
    let wide = std::hint::black_box(-1i128 << 100);
    let s = String::from("text");
    let caught = catch_unwind(AssertUnwindSafe(|| {
        i += 1;
        if fail {
            panic!("{}", i);
        }
        i += 1;
        i
    }));
    match caught {
        Ok(n) => (n, f * 2.0, wide, s),
        Err(payload) => (i, f, wide + 1, format!("{s} {}", text(&*payload))),
    }
}

fn many(fail_at: usize) -> Vec<String> {
    (0..5)
        .map(|i| {
            let made = format!("element {i}");
            assert!(i != fail_at, "no element {i}");
            made
        })
        .collect()
}

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

#[inline(never)]
fn array(n: i32) -> [Noisy; 3] {
    let make = |name, at| {
        if n == at {
            panic!("element {at} of an array");
        }
        quiet(name)
    };
    [make("first", 0), make("second", 1), make("third", 2)]
}

#[allow(unreachable_code, clippy::diverging_sub_expression)]
fn main() {
    panic::set_hook(Box::new(|info| {
        println!("  panic: {}", info.payload().downcast_ref::<&str>().copied().unwrap_or("a formatted message"));
    }));

    show("no panic", || 5);
    show("a literal", || -> u32 { panic!("plain") });
    show("a message", || -> u32 { panic!("number {}", 5) });
    show("any value", || -> u32 { panic::panic_any(77u64) });
    show("an index out of bounds", || {
        let list = [1, 2, 3];
        list[std::hint::black_box(3)]
    });
    show("an overflow", || std::hint::black_box(255u8).strict_add(1));
    show("unwrap of nothing", || std::hint::black_box(None::<u32>).unwrap());

    show("the order of drops", || {
        let _a = quiet("a");
        let _b = quiet("b");
        {
            let _c = quiet("c");
        }
        let _moved = std::convert::identity(quiet("moved"));
        let pair = (quiet("pair.0"), quiet("pair.1"));
        drop(pair.1);
        panic!("now");
        #[allow(unused_variables)]
        let never = quiet("never");
    });

    let log = RefCell::new(Vec::new());
    show("many frames", || deep(10, &log));
    println!("  left {:?}", log.borrow());

    show("caught within caught", || {
        let _outer = quiet("outer");
        let inner = catch_unwind(|| {
            let _inner = quiet("inner");
            panic!("inside");
        });
        println!("  inner: {}", text(&*inner.unwrap_err()));
        panic!("outside");
    });

    show("a cleanup that catches a panic of its own", || {
        struct Catches;
        impl Drop for Catches {
            fn drop(&mut self) {
                let caught = catch_unwind(|| panic!("in a cleanup"));
                println!("  in the cleanup: {}", text(&*caught.unwrap_err()));
                println!("  still panicking: {}", std::thread::panicking());
            }
        }
        let _catches = Catches;
        panic!("first");
    });

    show("a panic out of a drop", || {
        let _last = quiet("last");
        let _panics = Noisy("panics", true);
        let _first = quiet("first");
    });

    show("resumed", || {
        let payload = catch_unwind(|| panic!("passed on")).unwrap_err();
        println!("  between");
        resume_unwind(payload)
    });

    let acts: [Box<dyn Act>; 2] = [Box::new(Doubles), Box::new(Fails)];
    for act in &acts {
        show("a trait object", || act.act(21));
    }

    let closures: Vec<Box<dyn Fn(i32) -> i32>> = vec![Box::new(|x| x + 1), Box::new(|x| 10 / x)];
    for closure in &closures {
        show("a boxed closure", || closure(std::hint::black_box(0)));
    }

    show("a future", || block_on(waits_and_panics()));
    show("an iterator", || many(3));
    show("an iterator to its end", || many(9));
    println!("mixed: {:?} {:?}", mixed(false), mixed(true));

    for n in 0..4 {
        show("an array under construction", || array(n).len());
    }

    show("sorting with a comparison that panics", || {
        let mut list = vec![3, 1, 2, 9, 4];
        list.sort_by(|a, b| {
            assert!(*a != 9 && *b != 9, "nine");
            a.cmp(b)
        });
        list
    });

    for round in 0..1000 {
        let caught = catch_unwind(|| {
            DEPTH.set(DEPTH.get() + 1);
            let big = std::hint::black_box([round; 4096]);
            if big[round as usize % 4096] == round {
                panic!("again");
            }
        });
        assert!(caught.is_err());
        if round == 0 {
            panic::set_hook(Box::new(|_| {}));
        }
    }
    println!("caught {} panics; the stack is where it was", DEPTH.get());

    panic::set_hook(Box::new(|info| {
        let place = info.location().map(Location::line);
        println!("  panic in line {}", place.is_some_and(|line| line > 0));
    }));
    let caught = catch_unwind(|| {
        #[track_caller]
        fn tracked() {
            panic!("tracked");
        }
        tracked();
    });
    println!("tracked: {}", caught.is_err());

    let _ = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    std::process::exit(i32::from(catch_unwind(|| {}).is_err()) + 3);
}
