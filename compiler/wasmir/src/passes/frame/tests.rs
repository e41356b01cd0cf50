//! Small bodies by hand; whole programs are compared, before and after, by the tests of the back end.

use super::*;
use crate::inst::{Callee, Inst, MemArg};
use crate::module::FuncBody;
use crate::passes::pipeline;
use crate::types::FuncType;
use crate::{Access, BodyBuilder, Func, GlobalData, Local, MemoryData, Opcode, Symbol};

fn module() -> (Module, Convention) {
    let mut module = Module::new();
    let stack_pointer = module.globals.push(GlobalData {
        ty: Type::I32,
        mutable: true,
        shared: false,
        init: None,
        import: None,
        symbol: Symbol::local("__stack_pointer"),
    });
    let memory = module.memories.push(MemoryData {
        index64: false,
        shared: false,
        min: 1,
        max: None,
        page_size_log2: None,
        import: None,
        symbol: Symbol::default(),
    });
    let convention = Convention::of(&module).expect("it has the global");
    assert_eq!(
        convention,
        Convention {
            stack_pointer,
            memory
        }
    );
    (module, convention)
}

/// A body under construction whose frame has `size` bytes.
struct Frame {
    b: BodyBuilder,
    sp: Global,
    memory: Memory,
    entry: Local,
    fp: Local,
}

impl Frame {
    fn new(convention: Convention, params: &[Type], size: i32, set: bool) -> Frame {
        let mut b = BodyBuilder::new(params);
        let block = b.block();
        b.switch_to(block);
        let entry = b.local(Type::I32);
        let sp = convention.stack_pointer;
        b.push(Inst::GlobalGet {
            dst: entry,
            global: sp,
        });
        let size = b.i32_const(size);
        let fp = b.binary(Opcode::I32Sub, Type::I32, entry, size);
        if set {
            b.push(Inst::GlobalSet {
                global: sp,
                src: fp,
            });
        }
        Frame {
            b,
            sp,
            memory: convention.memory,
            entry,
            fp,
        }
    }

    fn arg(&self, offset: u64) -> MemArg {
        MemArg {
            memory: self.memory,
            offset,
            access: Access::new(2),
        }
    }

    fn store(&mut self, offset: u64, value: Local) {
        let (fp, arg) = (self.fp, self.arg(offset));
        self.b.store(Opcode::I32Store, fp, value, arg);
    }

    fn load(&mut self, offset: u64) -> Local {
        let (fp, arg) = (self.fp, self.arg(offset));
        self.b.load(Opcode::I32Load, Type::I32, fp, arg)
    }

    fn address(&mut self, offset: i32) -> Local {
        let k = self.b.i32_const(offset);
        let fp = self.fp;
        self.b.binary(Opcode::I32Add, Type::I32, fp, k)
    }

    fn finish(mut self, set: bool, values: &[Local]) -> Body {
        if set {
            let (sp, entry) = (self.sp, self.entry);
            self.b.push(Inst::GlobalSet {
                global: sp,
                src: entry,
            });
        }
        self.b.ret(values);
        self.b.finish()
    }
}

fn count(body: &Body, what: impl Fn(&Inst) -> bool) -> usize {
    body.blocks
        .values()
        .flat_map(|b| &b.insts)
        .filter(|i| what(i))
        .count()
}

fn memory_accesses(body: &Body) -> usize {
    count(body, |i| {
        matches!(i, Inst::Load { .. } | Inst::Store { .. })
    })
}

fn context(convention: Convention, callees: &dyn Callees) -> Context<'_> {
    Context {
        memory: convention.memory,
        stack_pointer: Some(convention.stack_pointer),
        callees,
        rebase: false,
    }
}

fn run_alone(convention: Convention, body: &mut Body) -> (Stats, Summary) {
    run(body, &context(convention, &()))
}

#[test]
fn a_private_frame_disappears() {
    let (_, convention) = module();
    let mut f = Frame::new(convention, &[Type::I32], 16, true);
    let x = f.b.param(0);
    f.store(12, x);
    f.store(8, x);
    let y = f.load(12);
    let mut body = f.finish(true, &[y]);
    let (stats, summary) = run_alone(convention, &mut body);
    assert_eq!(
        stats,
        Stats {
            slots: 2,
            loads: 1,
            stores: 2,
            copies: 0,
            frames: 1,
            rebased: 0,
        }
    );
    assert_eq!(memory_accesses(&body), 0);
    assert_eq!(count(&body, |i| matches!(i, Inst::GlobalSet { .. })), 0);
    assert_eq!(
        summary,
        Summary {
            params: vec![ParamUse::UNUSED],
            returns: Some((0, 0))
        }
    );
}

#[test]
fn an_address_given_away_keeps_the_frame() {
    let (_, convention) = module();
    for offset in [0, 8, 16] {
        let mut f = Frame::new(convention, &[Type::I32], 16, true);
        let x = f.b.param(0);
        f.store(12, x);
        let address = f.address(offset);
        f.b.call(Callee::Direct(Func::from_u32(7)), &[], &[address]);
        let y = f.load(12);
        let mut body = f.finish(true, &[y]);
        let before = body.clone();
        let (stats, _) = run_alone(convention, &mut body);
        assert_eq!((stats, body), (Stats::default(), before), "offset {offset}");
    }
}

#[test]
fn a_callee_that_reads_four_bytes_costs_four_bytes() {
    let (_, convention) = module();
    let callee = Func::from_u32(3);
    // The callee spills its parameter and reads through the copy: only following the spill shows that it keeps
    // nothing.
    let mut f = Frame::new(convention, &[Type::I32], 16, false);
    let p = f.b.param(0);
    f.store(4, p);
    let again = f.load(4);
    let arg = f.arg(8);
    let read = f.b.load(Opcode::I32Load, Type::I32, again, arg);
    let mut body = f.finish(false, &[read]);
    let (_, summary) = run_alone(convention, &mut body);
    assert_eq!(summary.params, [ParamUse::Within { low: 8, high: 12 }]);
    assert_eq!(memory_accesses(&body), 1);
    struct Known(Func, Summary);
    impl Callees for Known {
        fn summary(&self, callee: Func) -> Option<&Summary> {
            (callee == self.0).then_some(&self.1)
        }
    }
    let known = Known(callee, summary);

    let mut f = Frame::new(convention, &[Type::I32], 32, true);
    let x = f.b.param(0);
    f.store(0, x);
    f.store(8, x);
    f.store(12, x);
    let address = f.address(0);
    let result = f.b.local(Type::I32);
    f.b.call(Callee::Direct(callee), &[result], &[address]);
    let y = f.load(12);
    let sum = f.b.binary(Opcode::I32Add, Type::I32, result, y);
    let mut body = f.finish(true, &[sum]);
    let (stats, _) = run(&mut body, &context(convention, &known));
    assert_eq!(
        stats,
        Stats {
            slots: 2,
            loads: 1,
            stores: 2,
            copies: 0,
            frames: 0,
            rebased: 0,
        }
    );
    assert_eq!(
        memory_accesses(&body),
        1,
        "the store of what the callee reads"
    );
}

#[test]
fn a_pointer_stored_beyond_the_frame_escapes() {
    let (_, convention) = module();
    let mut f = Frame::new(convention, &[Type::I32], 16, true);
    let x = f.b.param(0);
    f.store(12, x);
    let (address, arg) = (f.address(8), f.arg(0));
    f.b.store(Opcode::I32Store, x, address, arg);
    let y = f.load(12);
    let mut body = f.finish(true, &[y]);
    assert_eq!(run_alone(convention, &mut body).0, Stats::default());
}

#[test]
fn a_pointer_that_meets_another_in_a_slot_escapes() {
    let (_, convention) = module();
    let mut f = Frame::new(convention, &[Type::I32], 16, true);
    let x = f.b.param(0);
    f.store(12, x);
    let (a, b) = (f.address(12), f.address(8));
    f.store(0, a);
    f.store(0, b);
    let either = f.load(0);
    let arg = f.arg(0);
    let read = f.b.load(Opcode::I32Load, Type::I32, either, arg);
    let mut body = f.finish(true, &[read]);
    assert_eq!(run_alone(convention, &mut body).0, Stats::default());
}

#[test]
fn narrow_stores_and_loads_keep_their_width() {
    let (_, convention) = module();
    let mut f = Frame::new(convention, &[Type::I64], 16, false);
    let (x, fp, arg) = (f.b.param(0), f.fp, f.arg(3));
    f.b.store(Opcode::I64Store8, fp, x, arg);
    let y = f.b.load(Opcode::I64Load8S, Type::I64, fp, arg);
    let mut body = f.finish(false, &[y]);
    assert_eq!(run_alone(convention, &mut body).0.slots, 1);
    assert_eq!(
        count(&body, |i| matches!(
            i,
            Inst::Unary {
                op: Opcode::I32Extend8S,
                ..
            }
        )),
        1
    );
    assert_eq!(
        count(&body, |i| matches!(
            i,
            Inst::Unary {
                op: Opcode::I32WrapI64,
                ..
            }
        )),
        1
    );
    assert_eq!(memory_accesses(&body), 0);
}

#[test]
fn a_local_that_may_be_read_before_it_is_written_is_no_frame_pointer() {
    let (_, convention) = module();
    let mut f = Frame::new(convention, &[Type::I32], 16, false);
    let (x, pointer) = (f.b.param(0), f.b.local(Type::I32));
    let (set, join) = (f.b.block(), f.b.block());
    f.b.br_if(x, set, join);
    f.b.switch_to(set);
    let fp = f.fp;
    f.b.copy(pointer, fp);
    f.b.jump(join);
    f.b.switch_to(join);
    let arg = f.arg(0);
    f.b.store(Opcode::I32Store, pointer, x, arg);
    let mut body = f.finish(false, &[x]);
    assert_eq!(run_alone(convention, &mut body).0, Stats::default());
}

#[test]
fn callees_come_first_and_recursion_is_taken_as_escape() {
    let (mut module, convention) = module();
    let ty = module
        .types
        .intern_func(FuncType::new([Type::I32], [Type::I32]));
    // 0 calls 1 with the address of its frame; 1 reads it. 2 calls itself with it.
    let caller = |callee: u32| {
        let mut f = Frame::new(convention, &[Type::I32], 16, true);
        let x = f.b.param(0);
        f.store(0, x);
        f.store(8, x);
        let address = f.address(0);
        let result = f.b.local(Type::I32);
        f.b.call(
            Callee::Direct(Func::from_u32(callee)),
            &[result],
            &[address],
        );
        let y = f.load(8);
        let sum = f.b.binary(Opcode::I32Add, Type::I32, result, y);
        f.finish(true, &[sum])
    };
    let mut f = Frame::new(convention, &[Type::I32], 0, false);
    let (p, arg) = (f.b.param(0), f.arg(0));
    let read = f.b.load(Opcode::I32Load, Type::I32, p, arg);
    let reader = f.finish(false, &[read]);
    for body in [caller(1), reader, caller(2)] {
        module.funcs.push(crate::FuncData {
            ty,
            import: None,
            symbol: Symbol::default(),
            body: FuncBody::Ir(Box::new(body)),
        });
    }
    let stats = pipeline::run(&mut module, &pipeline::Options::FRAMES).frames;
    assert_eq!(stats.slots, 1, "one in function 0, none in function 2");
}

#[test]
fn parameters_stay_what_they_are_when_a_local_may_be_unassigned() {
    let (_, convention) = module();
    let mut f = Frame::new(convention, &[Type::I32], 16, false);
    let (p, never) = (f.b.param(0), f.b.local(Type::I32));
    let arg = f.arg(4);
    let read = f.b.load(Opcode::I32Load, Type::I32, p, arg);
    let sum = f.b.binary(Opcode::I32Add, Type::I32, read, never);
    let mut body = f.finish(false, &[sum]);
    let (_, summary) = run_alone(convention, &mut body);
    assert_eq!(summary.params, [ParamUse::Within { low: 4, high: 8 }]);
}
