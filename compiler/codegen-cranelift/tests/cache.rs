//! The cache of finished bodies: the same bytes with and without, hits where only numbers changed, misses where anything
//! else did, and no harm from damage. Limits, company and full disks are `pack-store`'s tests.

use codegen_cranelift::{Cache, CacheStats, MidEnd, Options, emit_module};
use std::path::Path;
use std::sync::Arc;
use wasmir::{FuncBody, Module, SrcLoc, parse_module, verify_module};

const LIMIT: u64 = 16 << 20;

/// `count` functions that call each other, load and store, with positions.
fn program(count: u32) -> Module {
    let mut text = String::from(
        "wasmir 1\ntype type0 = func(i32) -> (i32)\ntype type1 = func(i64) -> ()\n\
         table %t (ref null func) 4 max 4\nmemory %mem 1\n\
         global %__stack_pointer mut i32 = (i32.const 65536)\nglobal %g mut i64 = (i64.const 7)\n",
    );
    for i in 0..count {
        let next = (i + 1) % count;
        text += &format!(
            "func %f{i} type0 {{\n  param l0: i32\n  local l1, l2: i32\n  local l3: i64\n  slot ss0: 16 align 8\nb0:\n  \
             l1 = i32.const {i} @{a}\n  l2 = stack_addr ss0 4\n  i32.store %mem l2+0, l1 align 4 @{b}\n  \
             l3 = global.get %g\n  global.set %g, l3\n  br_if l0, b1, b2\nb1:\n  l1 = call %f{next}(l1) @{b}\n  \
             l1 = call indirect %t type0 (l1, l0)\n  return l1\nb2:\n  l2 = i32.load %mem l2+0 align 4\n  return l2\n}}\n",
            a = 10 * i + 1,
            b = 10 * i + 5,
        );
    }
    text += "export \"f0\" func %f0\nfile \"a.rs\"\n";
    for i in 0..count {
        text += &format!("line @{} 0 {} 1\n", 10 * i + 1, i + 1);
    }
    let module = parse_module(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
    module
}

fn plain(module: &Module) -> Vec<u8> {
    emit_module(module, &Options::default()).expect("the module is emitted")
}

/// Emits with the cache in `folder`, compares with emission without, and saves.
fn through(folder: &Path, limit: u64, module: &Module) -> CacheStats {
    let cache = Arc::new(Cache::open(folder, limit));
    let options = Options {
        cache: Some(Arc::clone(&cache)),
        ..Options::default()
    };
    let bytes = emit_module(module, &options).expect("the module is emitted");
    assert!(bytes == plain(module), "the cache shows in the output");
    cache.save().expect("the folder can be written");
    cache.stats()
}

fn stats(hits: u64, misses: u64) -> CacheStats {
    CacheStats {
        hits,
        misses,
        unfit: 0,
    }
}

#[test]
fn unchanged_bodies_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = program(40);
    assert_eq!(through(folder.path(), LIMIT, &module), stats(0, 40));
    assert_eq!(through(folder.path(), LIMIT, &module), stats(40, 0));
}

/// Numbers of functions, types and globals, and source positions, change with every edit elsewhere.
#[test]
fn bodies_are_found_under_other_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    through(folder.path(), LIMIT, &program(40));
    let mut moved = program(40);
    let ty = moved.funcs.values().next().expect("there").ty;
    for i in 0..300 {
        moved.funcs.push(wasmir::FuncData {
            ty,
            import: Some(wasmir::Import {
                module: "env".into(),
                name: format!("i{i}"),
            }),
            symbol: wasmir::Symbol::default(),
            body: FuncBody::None,
        });
    }
    for func in moved.funcs.values_mut() {
        if let FuncBody::Ir(body) = &mut func.body {
            for block in body.blocks.values_mut() {
                let locs = block.locs.iter_mut().chain([&mut block.term_loc]);
                locs.filter(|l| l.is_some())
                    .for_each(|l| *l = SrcLoc(l.0 + 1000));
            }
        }
    }
    moved
        .debug
        .rows
        .iter_mut()
        .for_each(|row| row.start.0 += 1000);
    assert_eq!(through(folder.path(), LIMIT, &moved), stats(40, 0));
}

#[test]
fn a_position_just_before_the_first_of_a_body_is_one() {
    let program = |second: u32| {
        let text = format!(
            "wasmir 1\ntype type0 = func(i32) -> (i32)\nmemory %mem 1\nfunc %f type0 {{\n  param l0: i32\nb0:\n  \
             l0 = i32.load %mem l0+0 align 4 @5\n  l0 = i32.load %mem l0+4 align 4 @{second}\n  return l0\n}}\n\
             export \"f\" func %f\nfile \"a.rs\"\nline @4 0 14 1\nline @5 0 15 1\nline @9 0 19 1\n"
        );
        parse_module(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
    };
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(through(folder.path(), LIMIT, &program(9)), stats(0, 1));
    assert_eq!(through(folder.path(), LIMIT, &program(4)), stats(1, 0));
}

#[test]
fn changed_bodies_and_surroundings_are_compiled() {
    let folder = tempfile::tempdir().expect("a folder");
    through(folder.path(), LIMIT, &program(40));
    // One constant.
    let mut edited = program(40);
    if let FuncBody::Ir(body) = &mut edited.funcs.values_mut().nth(3).expect("there").body {
        let entry = body.entry().expect("a block");
        if let wasmir::Inst::Const { bits, .. } = &mut body.blocks[entry].insts[0] {
            *bits = 4711;
        }
    }
    assert_eq!(through(folder.path(), LIMIT, &edited), stats(39, 1));
    // A global that all mention, and the memory.
    let mut wider = program(40);
    wider.memories.values_mut().for_each(|m| m.shared = true);
    wider.memories.values_mut().for_each(|m| m.max = Some(1));
    assert_eq!(through(folder.path(), LIMIT, &wider), stats(0, 40));
    // Without the mid-end.
    let cache = Arc::new(Cache::open(folder.path(), LIMIT));
    let options = Options {
        mid_end: MidEnd::Off,
        cache: Some(Arc::clone(&cache)),
        ..Options::default()
    };
    emit_module(&program(40), &options).expect("the module is emitted");
    assert_eq!(cache.stats(), stats(0, 40));
}

fn packs(folder: &Path) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = files.map(|f| f.expect("a file").path()).collect();
    files.sort();
    files
}

#[test]
fn damage_is_a_miss() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = program(40);
    through(folder.path(), LIMIT, &module);
    let pack = packs(folder.path()).remove(0);
    let whole = std::fs::read(&pack).expect("a pack");
    let mut state = 1u64;
    for round in 0..60 {
        let mut bytes = whole.clone();
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let at = (state >> 33) as usize % bytes.len();
        if round % 3 == 0 {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << (state % 8);
        }
        for old in packs(folder.path()) {
            std::fs::remove_file(old).expect("a file");
        }
        std::fs::write(&pack, bytes).expect("a file");
        let stats = through(folder.path(), LIMIT, &module);
        assert_eq!(stats.hits + stats.misses, 40);
        assert!(stats.misses > 0, "damage at {at} was not noticed");
    }
}

/// Tags have other numbers where a module has more of them; what a handler receives stands in the code.
#[test]
fn bodies_with_handlers_are_found_under_other_numbers() {
    let program = |tags: &str| {
        let text = format!(
            "wasmir 1\ntype type0 = func() -> (i32)\ntype type1 = func(i32) -> ()\ntype type2 = func() -> ()\n{tags}\
             tag %t type1\nfunc %f type2 import \"env\" \"f\"\n\
             func %catches type0 {{\n  local l0: i32\nb0:\n  invoke %f() b1 handlers [catch %t (l0) b2]\nb1:\n  jump b2\n\
             b2:\n  return l0\n}}\nexport \"catches\" func %catches\n"
        );
        let module = parse_module(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        verify_module(&module).unwrap_or_else(|errors| panic!("{errors:?}"));
        module
    };
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(through(folder.path(), LIMIT, &program("")), stats(0, 1));
    let more = program("tag %u type2\ntag %v type1\n");
    assert_eq!(through(folder.path(), LIMIT, &more), stats(1, 0));
}
