//! What all backends share: the ticker, the gate in front of an instance, and blocking on futures.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::lock::{Guard, Lock};
use crate::{Error, Limit, Result, RuntimeConfig, WasmInstanceState, host};

/// Counts time in ticks for all guests of a runtime, so that checking a deadline costs one load.
///
/// One thread per runtime; it ends when the runtime is dropped.
#[derive(Debug)]
pub(crate) struct Ticker {
    ticks: AtomicU64,
    period: Duration,
    stopped: Mutex<bool>,
    stop: Condvar,
}

impl Ticker {
    /// Starts the thread; `on_tick` is called at every tick.
    pub(crate) fn start(
        period: Duration,
        on_tick: impl Fn() + Send + 'static,
    ) -> Result<TickerHandle> {
        if period.is_zero() {
            return Err(Error::InvalidConfig {
                reason: "`tick` must not be zero".into(),
            });
        }
        let ticker = Arc::new(Self {
            ticks: AtomicU64::new(0),
            period,
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        });
        let shared = ticker.clone();
        std::thread::Builder::new()
            .name("wasm-sandbox-ticker".into())
            .spawn(move || {
                let mut stopped = shared
                    .stopped
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                while !*stopped {
                    (stopped, _) = shared
                        .stop
                        .wait_timeout(stopped, period)
                        .unwrap_or_else(PoisonError::into_inner);
                    shared.ticks.fetch_add(1, Ordering::Relaxed);
                    on_tick();
                }
            })
            .map_err(|error| Error::io("starting the ticker's thread", error))?;
        Ok(TickerHandle { ticker })
    }

    /// A ticker that stands still, for runtimes that never interrupt a guest.
    pub(crate) fn idle() -> TickerHandle {
        let ticker = Self {
            ticks: AtomicU64::new(0),
            period: Duration::MAX,
            stopped: Mutex::new(true),
            stop: Condvar::new(),
        };
        TickerHandle {
            ticker: Arc::new(ticker),
        }
    }

    /// The current tick.
    pub(crate) fn now(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// The number of ticks that last at least as long as `time`.
    pub(crate) fn ticks_in(&self, time: Duration) -> u64 {
        let ticks = time.as_nanos().div_ceil(self.period.as_nanos());
        // One more, since the current tick is already under way.
        u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1)
    }
}

/// Stops the ticker when dropped.
#[derive(Debug)]
pub(crate) struct TickerHandle {
    ticker: Arc<Ticker>,
}

impl std::ops::Deref for TickerHandle {
    type Target = Arc<Ticker>;

    fn deref(&self) -> &Arc<Ticker> {
        &self.ticker
    }
}

impl Drop for TickerHandle {
    fn drop(&mut self) {
        *self
            .ticker
            .stopped
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = true;
        self.ticker.stop.notify_all();
    }
}

/// The number of live instances of a runtime, bounded.
#[derive(Debug)]
pub(crate) struct InstanceCount {
    live: AtomicUsize,
    max: usize,
}

/// One live instance; counts down when dropped.
#[derive(Debug)]
pub(crate) struct InstanceSlot(Arc<InstanceCount>);

impl InstanceCount {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            live: AtomicUsize::new(0),
            max,
        })
    }

    pub(crate) fn live(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    pub(crate) fn enter(self: &Arc<Self>) -> Result<InstanceSlot> {
        let admitted = self
            .live
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |live| {
                (live < self.max).then_some(live + 1)
            });
        match admitted {
            Ok(_) => Ok(InstanceSlot(self.clone())),
            Err(_) => Err(Error::exceeded(Limit::Instances)),
        }
    }
}

impl Drop for InstanceSlot {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What can be known and done about an instance while a call holds it.
#[derive(Debug)]
pub(crate) struct Control {
    /// Unique among all instances of the process.
    pub(crate) id: u64,
    pub(crate) terminated: AtomicBool,
    pub(crate) poisoned: AtomicBool,
    pub(crate) memory_bytes: AtomicUsize,
    pub(crate) deadline: Option<Duration>,
}

impl Control {
    pub(crate) fn new(deadline: Option<Duration>) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            terminated: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            memory_bytes: AtomicUsize::new(0),
            deadline,
        })
    }
}

/// A call in progress. Dropped before it is finished, it poisons the instance: its guest was stopped
/// in the middle of something and never runs again.
#[derive(Debug)]
pub(crate) struct Flight<'c> {
    control: &'c Control,
    finished: bool,
}

impl<'c> Flight<'c> {
    pub(crate) fn begin(control: &'c Control) -> Self {
        Self {
            control,
            finished: false,
        }
    }

    /// The call came to its end, good or bad.
    pub(crate) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.control.poisoned.store(true, Ordering::Relaxed);
        }
    }
}

/// The instance behind its lock.
#[derive(Debug)]
pub(crate) struct Gate<T> {
    inner: Lock<T>,
    pub(crate) control: Arc<Control>,
}

/// How long a blocked thread sleeps before it looks again.
const NAP: Duration = Duration::from_micros(200);

impl<T> Gate<T> {
    pub(crate) fn new(inner: T, control: Arc<Control>) -> Self {
        Self {
            inner: Lock::new(inner),
            control,
        }
    }

    /// Takes the instance if it is free.
    #[inline]
    pub(crate) fn try_enter(&self) -> Option<Guard<'_, T>> {
        self.inner.try_lock()
    }

    /// Waits for the instance, blocking the thread.
    ///
    /// The wait ends after the instance's deadline: the call in progress may be waiting for this very
    /// thread to poll it.
    #[inline]
    pub(crate) fn enter(&self) -> Result<Guard<'_, T>> {
        match self.inner.try_lock() {
            Some(guard) => Ok(guard),
            None => self.enter_slowly(),
        }
    }

    #[cold]
    fn enter_slowly(&self) -> Result<Guard<'_, T>> {
        if host::is_calling_host(self.control.id) {
            return Err(Error::Reentrant);
        }
        let start = Instant::now();
        loop {
            if let Some(guard) = self.inner.try_lock() {
                return Ok(guard);
            }
            if let Some(deadline) = self
                .control
                .deadline
                .filter(|deadline| start.elapsed() > *deadline)
            {
                return Err(Error::Timeout(deadline));
            }
            std::thread::sleep(NAP);
        }
    }

    /// Waits for the instance.
    pub(crate) async fn enter_async(&self) -> Result<Guard<'_, T>> {
        if let Some(guard) = self.inner.try_lock() {
            return Ok(guard);
        }
        if host::is_calling_host(self.control.id) {
            return Err(Error::Reentrant);
        }
        Ok(self.inner.lock().await)
    }

    pub(crate) fn state(&self) -> WasmInstanceState {
        if self.control.poisoned.load(Ordering::Relaxed) {
            WasmInstanceState::Poisoned
        } else if self.inner.is_taken() {
            WasmInstanceState::Running
        } else {
            WasmInstanceState::Ready
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Drives a future on this thread. Unlike an executor's own, it also works on an executor's thread,
/// since whatever the future waits for makes progress elsewhere.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    // Most futures here are ready at once; those cost no waker.
    if let Poll::Ready(output) = future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        return output;
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Gives way to the executor once.
#[cfg(feature = "wasmi")]
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            Poll::Ready(())
        } else {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// The loaded modules of a runtime, by id and by content.
#[derive(Debug)]
pub(crate) struct Registry<M> {
    modules: Mutex<Modules<M>>,
    max: usize,
    share: bool,
}

type Hash = [u8; 32];

#[derive(Debug)]
struct Modules<M> {
    by_id: HashMap<crate::ModuleId, (Arc<M>, Option<Hash>)>,
    by_hash: HashMap<Hash, crate::ModuleId>,
    next: u64,
}

impl<M> Modules<M> {
    /// The module that is already there, or nothing when there is room for another.
    fn existing(&self, hash: Option<&Hash>, max: usize) -> Result<Option<Arc<M>>> {
        let id = hash.and_then(|hash| self.by_hash.get(hash));
        if let Some((module, _)) = id.and_then(|id| self.by_id.get(id)) {
            return Ok(Some(module.clone()));
        }
        match self.by_id.len() < max {
            true => Ok(None),
            false => Err(Error::exceeded(Limit::Modules)),
        }
    }
}

impl<M> Registry<M> {
    pub(crate) fn new(config: &RuntimeConfig) -> Self {
        let modules = Modules {
            by_id: HashMap::new(),
            by_hash: HashMap::new(),
            next: 1,
        };
        Self {
            modules: Mutex::new(modules),
            max: config.max_modules,
            share: config.share_modules,
        }
    }

    /// The module of these bytes, compiled by `compile` unless it is loaded already and shared.
    ///
    /// The lock is not held while compiling; of two racing compilations the first one is kept.
    pub(crate) fn load(
        &self,
        bytes: &[u8],
        compile: impl FnOnce(crate::ModuleId) -> Result<M>,
    ) -> Result<Arc<M>> {
        use sha2::Digest as _;
        let hash: Option<Hash> = self.share.then(|| sha2::Sha256::digest(bytes).into());
        let id = {
            let mut modules = self.lock();
            if let Some(module) = modules.existing(hash.as_ref(), self.max)? {
                return Ok(module);
            }
            modules.next += 1;
            crate::ModuleId(modules.next - 1)
        };
        let module = Arc::new(compile(id)?);
        let mut modules = self.lock();
        if let Some(module) = modules.existing(hash.as_ref(), self.max)? {
            return Ok(module);
        }
        modules.by_hash.extend(hash.map(|hash| (hash, id)));
        modules.by_id.insert(id, (module.clone(), hash));
        Ok(module)
    }

    pub(crate) fn get(&self, id: crate::ModuleId) -> Result<Arc<M>> {
        let modules = self.lock();
        let found = modules.by_id.get(&id);
        found
            .map(|(module, _)| module.clone())
            .ok_or(Error::UnknownModule { id })
    }

    pub(crate) fn remove(&self, id: crate::ModuleId) -> Result<()> {
        let mut modules = self.lock();
        let removed = modules.by_id.remove(&id);
        let (_, hash) = removed.ok_or(Error::UnknownModule { id })?;
        if let Some(hash) = hash {
            modules.by_hash.remove(&hash);
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Modules<M>> {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
