//! What the standard library does when several threads use it at once: locks, waiting in wasm, the allocator, `Once`, thread-locals with
//! something to drop. The threads are the host's; each calls `work` or `wait`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, Once, RwLock};

thread_local! {
    static SUM: Cell<u32> = const { Cell::new(7) };
    static WORDS: RefCell<Vec<String>> = RefCell::new(vec!["first".to_owned()]);
}
static LIST: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static INITIALISED: RwLock<u32> = RwLock::new(0);
static ONCE: Once = Once::new();
static CALLS: AtomicU32 = AtomicU32::new(0);
static BELL: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// A new stack or block of thread-local data, which stays.
#[unsafe(no_mangle)]
pub extern "C" fn block(size: usize) -> *mut u8 {
    Box::leak(vec![0; size].into_boxed_slice()).as_mut_ptr()
}

/// Takes turns with other threads, and says what is this thread's own.
#[unsafe(no_mangle)]
pub extern "C" fn work(thread: u32, rounds: u32) -> u32 {
    ONCE.call_once(|| *INITIALISED.write().unwrap() += 1);
    for round in 0..rounds {
        SUM.set(SUM.get().wrapping_add(thread));
        LIST.lock().unwrap().push(round);
        let word = format!("{thread}:{round}");
        WORDS.with_borrow_mut(|words| words.push(word));
        CALLS.fetch_add(1, Ordering::Relaxed);
    }
    let mut lengths: HashMap<usize, u32> = HashMap::new();
    WORDS.with_borrow(|words| words.iter().for_each(|word| *lengths.entry(word.len()).or_default() += 1));
    assert_eq!(lengths.values().sum::<u32>(), rounds + 1);
    *BELL.0.lock().unwrap() = true;
    BELL.1.notify_all();
    SUM.get()
}

/// Sleeps until another thread has worked.
#[unsafe(no_mangle)]
pub extern "C" fn wait() -> u32 {
    let mut rung = BELL.0.lock().unwrap();
    while !*rung {
        rung = BELL.1.wait(rung).unwrap();
    }
    u32::from(*rung)
}

/// What all threads have done: how much was pushed, how often, and how often what is done once.
#[unsafe(no_mangle)]
pub extern "C" fn pushed() -> usize {
    LIST.lock().unwrap().len()
}

#[unsafe(no_mangle)]
pub extern "C" fn calls() -> u32 {
    CALLS.load(Ordering::Relaxed)
}

#[unsafe(no_mangle)]
pub extern "C" fn initialised() -> u32 {
    *INITIALISED.read().unwrap()
}
