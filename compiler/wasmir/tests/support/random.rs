//! A small generator of random numbers, and of valid modules from them.

use wasmir::*;

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

const TYPES: [Type; 10] = [
    Type::I8,
    Type::I16,
    Type::I32,
    Type::I64,
    Type::I128,
    Type::F32,
    Type::F64,
    Type::V128,
    Type::FUNCREF,
    Type::EXTERNREF,
];

/// A valid module: a memory, a table, globals, functions that call each other.
pub(crate) fn module(rng: &mut Rng) -> Module {
    let mut m = Module::new();
    if rng.below(2) == 0 {
        m.name = Some(format!("module {}", rng.below(100)));
    }
    let symbol = |rng: &mut Rng, prefix: &str| match rng.below(3) {
        0 => Symbol::default(),
        _ => Symbol::local(format!("{prefix} {}", rng.below(6))),
    };
    m.memories.push(MemoryData {
        index64: rng.below(4) == 0,
        shared: false,
        min: 1,
        max: Some(rng.next() >> 40 | 1),
        page_size_log2: None,
        import: None,
        symbol: symbol(rng, "memory"),
    });
    for i in 0..3 {
        let (ty, init) = match rng.below(3) {
            0 => (Type::I32, ConstOp::I32(rng.next() as i32)),
            1 => (Type::F64, ConstOp::F64(rng.next())),
            _ => (Type::V128, ConstOp::V128(u128::from(rng.next()) << 37)),
        };
        m.globals.push(GlobalData {
            ty,
            mutable: i == 0,
            shared: false,
            init: Some(vec![init]),
            import: None,
            symbol: symbol(rng, "global"),
        });
    }
    let funcs = 1 + rng.below(5);
    for _ in 0..funcs {
        let mut list = |max: usize| -> Vec<Type> {
            (0..rng.below(max))
                .map(|_| TYPES[rng.below(TYPES.len())])
                .collect()
        };
        let ty = FuncType::new(list(5), list(3));
        let ty = m.types.intern_func(ty);
        let symbol = symbol(rng, "func");
        m.funcs.push(FuncData {
            ty,
            import: None,
            symbol,
            body: FuncBody::None,
        });
    }
    for func in m.funcs.keys().collect::<Vec<_>>() {
        let body = body(rng, &m, func);
        m.funcs[func].body = FuncBody::Ir(Box::new(body));
    }
    let items = m.funcs.keys().filter(|_| rng.below(2) == 0).collect();
    m.elems.push(ElemData {
        kind: ElemKind::Declared,
        ty: RefType::FUNCREF,
        items: ElemItems::Funcs(items),
        name: None,
    });
    let mut bytes = vec![0; rng.below(20)];
    bytes.fill_with(|| rng.next() as u8);
    m.datas.push(DataData {
        kind: DataKind::Passive,
        bytes: bytes.into(),
        relocs: Vec::new(),
        symbol: symbol(rng, "data"),
    });
    m.exports.push(Export {
        name: "\u{1f980} \"\\".into(),
        item: Item::Func(Func::from_u32(0)),
    });
    m.debug.files.push("a.rs".into());
    m.debug.rows.push(LineRow {
        start: SrcLoc(3),
        file: Some(0),
        line: 1,
        col: 0,
    });
    m
}

fn body(rng: &mut Rng, m: &Module, func: Func) -> Body {
    let sig = m
        .func_type(func)
        .expect("functions have function types")
        .clone();
    let mut b = BodyBuilder::new(&sig.params);
    let mut locals: Vec<(Local, Type)> = b.body().locals.iter().map(|(l, ty)| (l, *ty)).collect();
    for ty in TYPES {
        for _ in 0..1 + rng.below(2) {
            locals.push((b.local(ty), ty));
        }
    }
    let pick = |rng: &mut Rng, ty: Type| {
        let fitting: Vec<Local> = locals
            .iter()
            .filter(|(_, t)| *t == ty)
            .map(|(l, _)| *l)
            .collect();
        fitting[rng.below(fitting.len())]
    };
    let slot = b.slot(8 + rng.below(100) as u32, rng.below(5) as u8);
    let blocks: Vec<Block> = (0..1 + rng.below(6)).map(|_| b.block()).collect();
    let index = m.memory_index_type(Memory::from_u32(0));
    for &block in &blocks {
        b.switch_to(block);
        for _ in 0..rng.below(12) {
            b.set_loc(if rng.below(3) == 0 {
                SrcLoc(rng.next() as u32)
            } else {
                SrcLoc::NONE
            });
            let op = Opcode::ALL[rng.below(Opcode::ALL.len())];
            let info = op.info();
            let val = |t: &OperandTy| {
                if let OperandTy::Val(ty) = t {
                    Some(*ty)
                } else {
                    None
                }
            };
            let memarg = |rng: &mut Rng| MemArg {
                memory: Memory::from_u32(0),
                offset: rng.next() >> 33,
                access: Access::new(match op.access_width() {
                    Some(width) => width.trailing_zeros() as u8,
                    None => 0,
                }),
            };
            match info.class {
                OpClass::Plain if info.imm == ImmKind::None => {
                    let params: Option<Vec<Type>> = info.params.iter().map(val).collect();
                    let results: Option<Vec<Type>> = info.results.iter().map(val).collect();
                    let (Some(params), Some(results)) = (params, results) else {
                        continue;
                    };
                    let args: Vec<Local> = params.iter().map(|t| pick(rng, *t)).collect();
                    let dsts: Vec<Local> = results.iter().map(|t| pick(rng, *t)).collect();
                    b.op(op, None, &dsts, &args);
                }
                OpClass::Plain if info.imm == ImmKind::Memarg => {
                    let mut args = vec![pick(rng, index)];
                    args.extend(
                        info.params[1..]
                            .iter()
                            .filter_map(val)
                            .map(|t| pick(rng, t)),
                    );
                    let dsts: Vec<Local> = info
                        .results
                        .iter()
                        .filter_map(val)
                        .map(|t| pick(rng, t))
                        .collect();
                    let imm = Imm::Memarg(memarg(rng));
                    b.op(op, Some(imm), &dsts, &args);
                }
                OpClass::Load => {
                    let ty = val(&info.results[0]).expect("a load has a value type");
                    let MemArg {
                        memory,
                        offset,
                        access,
                    } = memarg(rng);
                    let (dst, addr) = (pick(rng, ty), pick(rng, index));
                    b.push(Inst::Load {
                        op,
                        access,
                        dst,
                        addr,
                        memory,
                        offset,
                    });
                }
                OpClass::Store => {
                    let ty = val(&info.params[1]).expect("a store has a value type");
                    let (addr, value) = (pick(rng, index), pick(rng, ty));
                    let arg = memarg(rng);
                    b.store(op, addr, value, arg);
                }
                _ => match rng.below(7) {
                    0 => {
                        let ty = [Type::I8, Type::I32, Type::I64, Type::F32][rng.below(4)];
                        let bits = rng.next() >> (64 - 8 * ty.bytes().unwrap_or(1));
                        let dst = pick(rng, ty);
                        b.push(Inst::Const { dst, bits });
                    }
                    1 => {
                        let ty = TYPES[rng.below(TYPES.len())];
                        b.copy(pick(rng, ty), pick(rng, ty));
                    }
                    2 => {
                        let global = Global::from_u32(rng.below(3) as u32);
                        let dst = pick(rng, m.globals[global].ty);
                        b.push(Inst::GlobalGet { dst, global });
                    }
                    3 => {
                        let dst = pick(rng, Type::I32);
                        b.push(Inst::StackAddr {
                            dst,
                            slot,
                            offset: rng.next() as i32,
                        });
                    }
                    4 => {
                        let dst = pick(rng, Type::I32);
                        let item = Item::Func(func);
                        b.push(Inst::SymAddr {
                            dst,
                            item,
                            addend: rng.next() as i64,
                        });
                    }
                    5 => {
                        let wide = b.body_mut().pool.wides.push(u128::from(rng.next()));
                        let ty = [Type::I128, Type::V128][rng.below(2)];
                        b.push(Inst::ConstWide {
                            dst: pick(rng, ty),
                            value: wide,
                        });
                    }
                    _ => {
                        let callee = Func::from_u32(rng.below(m.funcs.len()) as u32);
                        let sig = m.func_type(callee).expect("a function type");
                        let args: Vec<Local> = sig.params.iter().map(|t| pick(rng, *t)).collect();
                        let dsts: Vec<Local> = sig.results.iter().map(|t| pick(rng, *t)).collect();
                        b.call(Callee::Direct(callee), &dsts, &args);
                    }
                },
            }
        }
        let target = |rng: &mut Rng| blocks[1 + rng.below(blocks.len() - 1)];
        let kind = if blocks.len() == 1 {
            rng.below(2)
        } else {
            rng.below(5)
        };
        match kind {
            0 => b.terminate(Terminator::Unreachable),
            1 => {
                let values: Vec<Local> = sig.results.iter().map(|t| pick(rng, *t)).collect();
                b.ret(&values);
            }
            2 => b.jump(target(rng)),
            3 => b.br_if(pick(rng, Type::I32), target(rng), target(rng)),
            _ => {
                let list: Vec<Block> = (0..rng.below(4)).map(|_| target(rng)).collect();
                let targets = b.body_mut().pool.block_list(&list);
                let (index, default) = (pick(rng, Type::I32), target(rng));
                b.terminate(Terminator::BrTable {
                    index,
                    targets,
                    default,
                });
            }
        }
    }
    b.finish()
}
