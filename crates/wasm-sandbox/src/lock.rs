//! The lock in front of an instance: two locked instructions for a call that nobody else wants.
//!
//! General locks for asynchronous programs cost several times that, which a short call notices.
//!
//! # Algorithm
//!
//! Taking the lock is a compare-and-swap, giving it back a swap and a look whether somebody waits. Whoever
//! waits queues up first and then tries once more; both sides are sequentially consistent, so either the
//! holder that leaves sees the queue, or the one who queued up sees the lock free.
//!
//! # Invariants
//!
//! - Whoever waits is in the queue, or has been woken since it looked last.
//! - A waiter that was woken and then dropped wakes the next one.
//!
//! Not fair: a caller that comes at the right moment overtakes those who wait.

use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

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
            .field("taken", &self.turnstile.taken)
            .finish_non_exhaustive()
    }
}

/// The lock without its value.
#[derive(Default)]
struct Turnstile {
    taken: AtomicBool,
    /// The length of the queue.
    waiting: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiters: VecDeque<(u64, Waker)>,
    next: u64,
}

impl Turnstile {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn enter(&self) -> bool {
        self.taken
            .compare_exchange(false, true, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    #[inline]
    fn leave(&self) {
        self.taken.swap(false, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.wake_one();
        }
    }

    #[cold]
    fn wake_one(&self) {
        let woken = {
            let mut queue = self.queue();
            let woken = queue.waiters.pop_front();
            self.waiting.store(queue.waiters.len(), Ordering::SeqCst);
            woken
        };
        if let Some((_, waker)) = woken {
            waker.wake();
        }
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
        if !self.turnstile.enter() {
            return None;
        }
        Some(Guard {
            turnstile: &self.turnstile,
            // SAFETY: entering the turnstile succeeds once until its guard is dropped, so this is the
            // only reference to the value.
            value: unsafe { &mut *self.value.get() },
        })
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
        self.turnstile.taken.load(Ordering::Relaxed)
    }
}

/// The value, as long as one holds the lock.
pub(crate) struct Guard<'a, T> {
    turnstile: &'a Turnstile,
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
        self.turnstile.leave();
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
        if let Some(guard) = lock.try_lock() {
            return Poll::Ready(guard);
        }
        let turnstile = &lock.turnstile;
        {
            let mut queue = turnstile.queue();
            let ticket = *self.ticket.get_or_insert_with(|| {
                queue.next += 1;
                queue.next
            });
            let place = queue.waiters.iter().position(|(other, _)| *other == ticket);
            match place {
                Some(place) => queue.waiters[place].1.clone_from(context.waker()),
                None => queue.waiters.push_back((ticket, context.waker().clone())),
            }
            turnstile
                .waiting
                .store(queue.waiters.len(), Ordering::SeqCst);
        }
        // Once more, for a holder that left before it could see the queue.
        match lock.try_lock() {
            Some(guard) => Poll::Ready(guard),
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for Locking<'_, T> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else {
            return;
        };
        let turnstile = &self.lock.turnstile;
        let was_woken = {
            let mut queue = turnstile.queue();
            let before = queue.waiters.len();
            queue.waiters.retain(|(other, _)| *other != ticket);
            turnstile
                .waiting
                .store(queue.waiters.len(), Ordering::SeqCst);
            queue.waiters.len() == before
        };
        // A wake-up that was not used belongs to the next; one that was used does no harm twice.
        if was_woken && !self.lock.is_taken() {
            turnstile.wake_one();
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
        assert_eq!(lock.turnstile.queue().waiters.len(), 0);
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
        assert_eq!(
            lock.turnstile.queue().waiters.len(),
            1,
            "the first was woken"
        );
        drop(first);
        assert_eq!(lock.turnstile.queue().waiters.len(), 0, "and passed it on");
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
}
