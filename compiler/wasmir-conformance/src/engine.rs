//! The engine that runs the modules, and the host module that the test suite imports.
//!
//! Time is bounded in two ways. The suite uses epochs: a thread ticks, and a call that outlives its deadline traps, so
//! that a miscompiled loop fails instead of hanging. The differential runner uses fuel, which is deterministic.

use std::sync::OnceLock;
use std::time::Duration;

use wasmtime::{
    Config, Engine, Func, Global, GlobalType, Linker, Memory, MemoryType, Mutability, OptLevel,
    RefType, SharedMemory, Store, StoreContextMut, Table, TableType, Val, ValType,
};

/// Ticks of the epoch clock that one call may take; a tick is [`TICK`].
pub const DEADLINE_TICKS: u64 = 100;
/// Length of one tick of the epoch clock.
pub const TICK: Duration = Duration::from_millis(100);

/// Every feature that the suite exercises and wasmtime knows.
fn config() -> Config {
    let mut config = Config::new();
    config
        .wasm_custom_page_sizes(true)
        .wasm_exceptions(true)
        .wasm_function_references(true)
        .wasm_gc(true)
        .wasm_memory64(true)
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(true)
        .relaxed_simd_deterministic(true)
        .wasm_tail_call(true)
        .wasm_threads(true)
        .wasm_wide_arithmetic(true)
        .shared_memory(true)
        .wasm_backtrace_max_frames(None)
        // Memories are small and many: neither reserve nor guard gigabytes for each.
        .memory_reservation(1 << 20)
        .memory_reservation_for_growth(1 << 20)
        .memory_guard_size(1 << 16)
        .cranelift_opt_level(OptLevel::None);
    config
}

/// The engine of the suite; its epoch advances by one every [`TICK`].
pub fn ticking() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let engine = Engine::new(config().epoch_interruption(true))
            .expect("the configuration is supported on this host");
        let weak = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                std::thread::sleep(TICK);
            }
        });
        engine
    })
}

/// The engine of the differential runner; calls are bounded by fuel and NaNs are canonical.
pub fn fuelled() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        Engine::new(
            config()
                .consume_fuel(true)
                .cranelift_nan_canonicalization(true),
        )
        .expect("the configuration is supported on this host")
    })
}

/// Refuses what is not a valid module under the features of [`ticking`].
///
/// # Errors
///
/// The validator's message with its offset.
pub fn validate(wasm: &[u8]) -> Result<(), String> {
    wasmtime::Module::validate(ticking(), wasm).map_err(|error| format!("{error:#}"))
}

/// Defines the module `spectest` of the test suite in `linker`.
///
/// # Errors
///
/// Fails only when the linker already has one of its names.
pub fn define_spectest(linker: &mut Linker<()>, store: &mut Store<()>) -> wasmtime::Result<()> {
    const MODULE: &str = "spectest";
    linker.func_wrap(MODULE, "print", || {})?;
    linker.func_wrap(MODULE, "print_i32", |_: i32| {})?;
    linker.func_wrap(MODULE, "print_i64", |_: i64| {})?;
    linker.func_wrap(MODULE, "print_f32", |_: f32| {})?;
    linker.func_wrap(MODULE, "print_f64", |_: f64| {})?;
    linker.func_wrap(MODULE, "print_i32_f32", |_: i32, _: f32| {})?;
    linker.func_wrap(MODULE, "print_f64_f64", |_: f64, _: f64| {})?;

    let globals = [
        ("global_i32", ValType::I32, Val::I32(666)),
        ("global_i64", ValType::I64, Val::I64(666)),
        ("global_f32", ValType::F32, Val::F32(666.6f32.to_bits())),
        ("global_f64", ValType::F64, Val::F64(666.6f64.to_bits())),
    ];
    for (name, ty, value) in globals {
        let global = Global::new(&mut *store, GlobalType::new(ty, Mutability::Const), value)?;
        linker.define(&mut *store, MODULE, name, global)?;
    }

    let null = Val::null_func_ref()
        .ref_()
        .expect("a null function reference is a reference");
    let table = Table::new(
        &mut *store,
        TableType::new(RefType::FUNCREF, 10, Some(20)),
        null.clone(),
    )?;
    linker.define(&mut *store, MODULE, "table", table)?;
    let table = Table::new(
        &mut *store,
        TableType::new64(RefType::FUNCREF, 10, Some(20)),
        null,
    )?;
    linker.define(&mut *store, MODULE, "table64", table)?;
    let memory = Memory::new(&mut *store, MemoryType::new(1, Some(2)))?;
    linker.define(&mut *store, MODULE, "memory", memory)?;
    let memory = SharedMemory::new(store.engine(), MemoryType::shared(1, 2))?;
    linker.define(&mut *store, MODULE, "shared_memory", memory)?;
    Ok(())
}

/// Calls `func`, giving each call a fresh deadline.
///
/// # Errors
///
/// The trap, or the mismatch between arguments and signature.
pub fn call(
    mut store: StoreContextMut<'_, ()>,
    func: Func,
    args: &[Val],
) -> wasmtime::Result<Vec<Val>> {
    store.set_epoch_deadline(DEADLINE_TICKS);
    let mut results = vec![Val::I32(0); func.ty(&store).results().len()];
    func.call(&mut store, args, &mut results)?;
    Ok(results)
}
