//! The lock in front of an instance. A call that nobody else wants pays two locked instructions for it,
//! and none once its thread has proved to be the only caller; general locks for asynchronous programs
//! cost several times that, which a short call notices.
//!
//! [`turnstile`] decides who may pass, [`barrier`] makes that cheap.
//!
//! # Invariants
//!
//! - One holder of the value at a time, given back on drop, when unwinding too.
//! - A waiter that was woken and then dropped wakes the next one.
//!
//! Not fair: a caller that comes at the right moment overtakes those who wait.

mod barrier;
#[cfg(test)]
mod model;
mod turnstile;

use std::cell::UnsafeCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};

use turnstile::{Turnstile, Way};

/// A value that one thread or task uses at a time.
pub(crate) struct Lock<T> {
    turnstile: Turnstile,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands out its value to one holder at a time, so sharing the lock between threads
// only ever moves the value's use from one thread to another.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("taken", &self.is_taken())
            .finish_non_exhaustive()
    }
}

impl<T> Lock<T> {
    /// A lock that is free.
    pub(crate) fn new(value: T) -> Self {
        Self {
            turnstile: Turnstile::default(),
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.turnstile.enter().ok().map(|way| self.guard(way))
    }

    /// The value, for somebody who has just entered in this way.
    #[inline]
    fn guard(&self, way: Way) -> Guard<'_, T> {
        Guard {
            turnstile: &self.turnstile,
            way,
            // SAFETY: entering the turnstile succeeds once until its guard is dropped, and both callers
            // have entered, so this is the only reference to the value.
            value: unsafe { &mut *self.value.get() },
        }
    }

    /// Takes the lock when it is free.
    pub(crate) fn lock(&self) -> Locking<'_, T> {
        Locking {
            lock: self,
            ticket: None,
        }
    }

    /// Whether somebody holds it.
    pub(crate) fn is_taken(&self) -> bool {
        self.turnstile.is_taken()
    }
}

/// The value, as long as one holds the lock.
pub(crate) struct Guard<'a, T> {
    turnstile: &'a Turnstile,
    way: Way,
    value: &'a mut T,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.value
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.turnstile.leave(self.way);
    }
}

/// Somebody who waits for the lock.
pub(crate) struct Locking<'a, T> {
    lock: &'a Lock<T>,
    /// The place in the queue, from the first time that the lock was taken.
    ticket: Option<u64>,
}

impl<'a, T> Future for Locking<'a, T> {
    type Output = Guard<'a, T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Guard<'a, T>> {
        let lock = self.lock;
        let entered = lock
            .turnstile
            .enter_or_queue(&mut self.ticket, context.waker());
        entered.map_or(Poll::Pending, |way| Poll::Ready(lock.guard(way)))
    }
}

impl<T> Drop for Locking<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.lock.turnstile.give_up(ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use super::Lock;
    use crate::control::block_on;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn nobody_is_forgotten_and_nothing_is_lost() {
        let lock = Lock::new(0u32);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let lock = &lock;
                scope.spawn(move || {
                    for round in 0..2_000 {
                        if (thread + round) % 3 == 0 {
                            // A waiter that gives up.
                            let mut waiting = std::pin::pin!(lock.lock());
                            let mut context = Context::from_waker(Waker::noop());
                            if let Poll::Ready(mut guard) = waiting.as_mut().poll(&mut context) {
                                *guard += 1;
                                continue;
                            }
                        }
                        *block_on(lock.lock()) += 1;
                    }
                });
            }
        });
        assert_eq!(*block_on(lock.lock()), 8_000);
        assert!(!lock.is_taken());
        assert_eq!(lock.turnstile.waiters(), 0);
    }

    #[test]
    fn a_wake_up_that_is_dropped_is_passed_on() {
        let lock = Lock::new(());
        let held = lock.try_lock().expect("it is free");
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut first = Box::pin(lock.lock());
        let mut second = Box::pin(lock.lock());
        assert!(
            first
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert!(
            second
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(held);
        assert_eq!(lock.turnstile.waiters(), 1, "the first was woken");
        drop(first);
        assert_eq!(lock.turnstile.waiters(), 0, "and passed it on");
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        drop(second);
        assert!(lock.try_lock().is_some());
    }

    #[test]
    fn it_is_taken_by_one_at_a_time() {
        let lock = Lock::new(());
        let held = lock.try_lock();
        assert!(held.is_some() && lock.try_lock().is_none() && lock.is_taken());
        drop(held);
        assert!(lock.try_lock().is_some());
    }

    /// Waits until ownership is possible; `false` where it never is.
    fn has_barriers() -> bool {
        for _ in 0..10_000 {
            if super::barrier::prepare() {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        cfg!(target_os = "linux") && panic!("Linux has them since 4.14")
    }

    #[test]
    fn a_thread_that_enters_often_enough_owns_it_until_another_comes() {
        if !has_barriers() {
            return;
        }
        let lock = Lock::new(0);
        for _ in 0..1_000 {
            *lock.try_lock().expect("it is free") += 1;
        }
        assert!(lock.turnstile.is_owned());
        let held = lock.try_lock().expect("it is free");
        assert!(lock.try_lock().is_none() && lock.is_taken());
        std::thread::scope(|scope| {
            let other = || assert!(lock.try_lock().is_none(), "the owner is in");
            scope.spawn(other).join().expect("it is");
            // A guard may be dropped elsewhere.
            let dropping = scope.spawn(move || drop(held));
            dropping.join().expect("it is dropped");
            assert!(lock.turnstile.is_owned() && !lock.is_taken());
            let entering = || *lock.try_lock().expect("it is free") += 1;
            scope.spawn(entering).join().expect("it enters");
            assert!(!lock.turnstile.is_owned());
        });
        assert_eq!(*lock.try_lock().expect("it is free"), 1_001);
    }

    #[test]
    fn revoking_in_mid_run_loses_nothing() {
        if !has_barriers() {
            return;
        }
        for round in 0..60 {
            let lock = Lock::new(0u32);
            let started = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    lock.turnstile.skip_streak();
                    for _ in 0..2_000 {
                        started.fetch_add(1, Ordering::Relaxed);
                        *block_on(lock.lock()) += 1;
                    }
                });
                for _ in 0..2 {
                    scope.spawn(|| {
                        while started.load(Ordering::Relaxed) < round {
                            std::hint::spin_loop();
                        }
                        *block_on(lock.lock()) += 1;
                    });
                }
            });
            assert_eq!(*block_on(lock.lock()), 2_002);
            assert_eq!(lock.turnstile.waiters(), 0);
        }
    }
}
