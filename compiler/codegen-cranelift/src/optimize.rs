//! Cranelift's mid-end without a target: the passes that prepare CLIF for selection.
//!
//! Unreachable blocks and constant parameters go, then the egraph pass does constant folding, common subexpressions,
//! loop-invariant code, redundant loads and dead stores. Divisors are hidden from it first: its expansion of a
//! division by a constant multiplies for the upper half of a product, which WebAssembly lacks; engines do that
//! rewriting themselves, where it is cheap.
//!
//! The egraph pass takes more time than all that comes after it, and engines do the same work again. What it saves where nothing is
//! repeated is bytes: four in a hundred of an unoptimised program, and none of one that LLVM optimised. So
//! [`MidEnd`] says which functions go through it.
//!
//! The egraph pass takes time in proportion to the depth of dominators for each level of it. Functions deeper than
//! [`MAX_DEPTH`] go without it: their translation stays linear.

use crate::env::{NS_CONST, NS_FUNC};
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{
    Block, ExternalName, Function, GlobalValueData, Inst, InstBuilder, InstructionData, Opcode,
    UserExternalName, types,
};
use cranelift_codegen::loop_analysis::Loop;
use cranelift_codegen::settings::{self, Flags};
use cranelift_entity::SecondaryMap;

/// The depth of dominators from which on a function is not optimised.
const MAX_DEPTH: u32 = 2000;

/// Which functions go through the mid-end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MidEnd {
    /// None: for code that an optimiser wrote.
    Off,
    /// Those with a loop that calls no function, and small ones with any loop: there is its time well spent, where that of the
    /// build counts too.
    Loops,
    /// All.
    #[default]
    All,
}

impl MidEnd {
    /// For unoptimised code in a dev build that lifts it, and for whoever shows what such a build does.
    pub const DEV_BUILD: MidEnd = MidEnd::Loops;
}

/// Whether an instruction calls a function; side operators are calls in CLIF's terms alone.
fn calls(func: &Function, inst: Inst) -> bool {
    let data = &func.dfg.insts[inst];
    if !data.opcode().is_call() {
        return false;
    }
    let InstructionData::Call { func_ref, .. } = *data else {
        return true;
    };
    match &func.dfg.ext_funcs[func_ref].name {
        ExternalName::User(name) => func.params.user_named_funcs()[*name].namespace == NS_FUNC,
        _ => true,
    }
}

/// The instructions up to which any loop is enough.
const SMALL: usize = 1000;

/// Whether the function has a loop without calls, those in loops inside of it included; or any loop, if it is small.
fn has_wanted_loop(ctx: &mut Context) -> bool {
    ctx.compute_loop_analysis();
    let (func, analysis) = (&ctx.func, &ctx.loop_analysis);
    if analysis.loops().next().is_none() {
        return false;
    }
    if func.dfg.num_insts() <= SMALL {
        return true;
    }
    let mut calling: SecondaryMap<Loop, bool> = SecondaryMap::new();
    for block in func.layout.blocks() {
        let mut around = analysis.innermost_loop(block);
        if around.is_some_and(|inner| !calling[inner])
            && func.layout.block_insts(block).any(|inst| calls(func, inst))
        {
            while let Some(inner) = around.filter(|&inner| !calling[inner]) {
                calling[inner] = true;
                around = analysis.loop_parent(inner);
            }
        }
    }
    analysis.loops().any(|one| !calling[one])
}

/// The depth of the dominator tree.
fn depth(ctx: &Context) -> u32 {
    let mut depths: SecondaryMap<Block, u32> = SecondaryMap::new();
    let mut deepest = 0;
    for &block in ctx.domtree.cfg_postorder().iter().rev() {
        let above = ctx.domtree.idom(block).map_or(0, |above| depths[above]);
        depths[block] = above + 1;
        deepest = deepest.max(above + 1);
    }
    deepest
}

/// Runs the mid-end on `ctx.func` if it is one of those that `which` names. Afterwards `ctx.domtree` is up to date.
pub fn optimize(ctx: &mut Context, flags: &Flags, which: MidEnd) {
    let ok = "without a target the passes only fail in the verifier, which is off";
    ctx.compute_cfg();
    ctx.compute_domtree();
    ctx.eliminate_unreachable_code(flags).expect(ok);
    if which != MidEnd::Off {
        ctx.remove_constant_phis(flags).expect(ok);
    }
    ctx.func.dfg.resolve_all_aliases();
    let wanted = match which {
        MidEnd::Off => false,
        MidEnd::Loops => has_wanted_loop(ctx),
        MidEnd::All => true,
    };
    if !wanted || depth(ctx) > MAX_DEPTH {
        return;
    }
    hide_divisors(ctx);
    ctx.egraph_pass(flags, &mut ControlPlane::default())
        .expect(ok);
    // Branches that the pass decided leave blocks unreachable and parameters constant. Taking those blocks out changes nothing
    // in the dominator tree that the pass left.
    ctx.eliminate_unreachable_code(flags).expect(ok);
    ctx.remove_constant_phis(flags).expect(ok);
    ctx.func.dfg.resolve_all_aliases();
}

/// The settings that the passes run under.
pub fn flags() -> Flags {
    let mut builder = settings::builder();
    let set =
        cranelift_codegen::settings::Configurable::set(&mut builder, "enable_verifier", "false");
    debug_assert!(set.is_ok());
    Flags::new(builder)
}

/// Replaces constant divisors by values that the rewrite rules cannot see through; selection can.
fn hide_divisors(ctx: &mut Context) {
    let func = &mut ctx.func;
    let mut pos = FuncCursor::new(func);
    while pos.next_block().is_some() {
        while let Some(inst) = pos.next_inst() {
            let InstructionData::Binary {
                opcode,
                args: [a, b],
            } = pos.func.dfg.insts[inst]
            else {
                continue;
            };
            if !matches!(
                opcode,
                Opcode::Udiv | Opcode::Sdiv | Opcode::Urem | Opcode::Srem
            ) {
                continue;
            }
            let ty = pos.func.dfg.value_type(b);
            if ty != types::I32 && ty != types::I64 {
                continue;
            }
            let constant = |v| {
                let def = pos.func.dfg.value_def(v).inst()?;
                match pos.func.dfg.insts[def] {
                    InstructionData::UnaryImm { imm, .. } => Some(imm),
                    _ => None,
                }
            };
            let Some(imm) = constant(b) else { continue };
            // What folds away or becomes a shift stays visible.
            let unsigned = matches!(opcode, Opcode::Udiv | Opcode::Urem);
            let bits = if ty == types::I32 {
                imm.bits() & 0xffff_ffff
            } else {
                imm.bits()
            };
            if constant(a).is_some()
                || bits == 0
                || imm.bits() == 1
                || (unsigned && (bits as u64).is_power_of_two())
            {
                continue;
            }
            let name = pos
                .func
                .declare_imported_user_function(UserExternalName::new(NS_CONST, 0));
            let gv = pos.func.create_global_value(GlobalValueData::Symbol {
                name: ExternalName::user(name),
                offset: imm,
                colocated: true,
                tls: false,
            });
            let hidden = pos.ins().symbol_value(ty, gv);
            if let InstructionData::Binary { args, .. } = &mut pos.func.dfg.insts[inst] {
                args[1] = hidden;
            }
        }
    }
}
